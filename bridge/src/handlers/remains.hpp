// What clients have sent and then did not wait for: events that stood behind a running one when their connection ended are handled all
// the same, in their order, one at a time. Nobody is answered any more. What is under way of one connection, and what all connections
// leave behind, is bounded.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tuple>

#include "codec/packet.hpp"
#include "db/database.hpp"

namespace bridge::handlers {

struct Services;

class Remains {
public:
    static constexpr std::size_t kMost = 20'000;  // events of all connections; beyond it they are dropped

    // One namespace of one connection, as it was.
    struct Key {
        ConnectionId connection;
        std::uint32_t serial;
        bool operator<(const Key &other) const {
            return std::tie(connection.index, connection.generation, serial) <
                   std::tie(other.connection.index, other.connection.generation, other.serial);
        }
    };

    // `context`: of its handlers, without correlation id and traceparent. `running`: one of its events or answers is with SQL, or waits to
    // go there; then answered() or run() follows.
    void leave(Services &services, Key key, std::string context, std::deque<codec::Inbound> packets, bool running);
    // The one that waited to go to SQL.
    void run(Services &services, Key key, codec::Inbound packet);
    // The one that was with SQL is done.
    void answered(Services &services, Key key, const Result<db::HandleAnswer> &answer);

    bool empty() const { return left_.empty(); }

private:
    struct Left {
        std::string context;
        std::deque<codec::Inbound> packets;
    };
    void next(Services &services, Key key);
    void drop(std::map<Key, Left>::iterator left);

    std::map<Key, Left> left_;
    std::size_t events_ = 0;
};

}  // namespace bridge::handlers
