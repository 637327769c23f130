// What every handler works with, wired once by the app. Handlers own nothing but what one connection is waiting for.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "auth/jwt.hpp"
#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/metrics.hpp"
#include "base/rng.hpp"
#include "codec/native.hpp"
#include "codec/socketio.hpp"
#include "db/database.hpp"
#include "handlers/admitted.hpp"
#include "handlers/bookkeeper.hpp"
#include "handlers/leases.hpp"
#include "handlers/remains.hpp"
#include "handlers/revocations.hpp"
#include "hub/history.hpp"
#include "hub/hub.hpp"
#include "loop/wheel.hpp"

namespace bridge::handlers {

class Client;
class Subscriber;

// From a connection's id to who speaks on it: answers of the database come back with the id only.
template <class T>
class ByConnection {
public:
    void add(ConnectionId id, T &one) {
        if (slots_.size() <= id.index) slots_.resize(id.index + 1);
        slots_[id.index] = Slot{id.generation, &one};
    }
    void remove(ConnectionId id) {
        if (find(id) != nullptr) slots_[id.index] = Slot{};
    }
    T *find(ConnectionId id) const {
        if (id.index >= slots_.size() || slots_[id.index].generation != id.generation) return nullptr;
        return slots_[id.index].one;
    }

private:
    struct Slot {
        std::uint32_t generation = 0;
        T *one = nullptr;
    };
    std::vector<Slot> slots_;
};
using Clients = ByConnection<Client>;
using Subscribers = ByConnection<Subscriber>;

struct HandlerOptions {
    bool allow_anonymous = false;
    bool recovery = true;
    std::chrono::milliseconds connect_timeout{45'000};
    std::size_t max_waiting = 100;  // inbound events of one session behind the one that runs
    std::size_t max_waiting_bytes = 2'000'000;
    std::uint32_t event_rate = 0;     // packets of one session a second, twice as many at once; 0: no limit
    std::size_t max_namespaces = 32;  // on one connection
};

struct Services {
    hub::Hub &hub;
    hub::History &history;
    db::Queries &queries;
    Bookkeeper &bookkeeper;
    Leases &leases;
    Revocations &revocations;
    const auth::Verifier &verifier;
    loop::Deadlines &deadlines;
    const Clock &clock;
    Rng &rng;
    Metrics &metrics;
    HandlerOptions options;
    Clients clients;
    Subscribers subscribers{};
    Admitted admitted{};
    // The issuer's keys are read again, and then the given is called, later; false: not now. Empty: they are nowhere to be read.
    std::function<bool(std::function<void()>)> await_keys{};
    Remains remains{};
};

}  // namespace bridge::handlers
