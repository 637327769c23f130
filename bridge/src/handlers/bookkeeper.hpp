// Tells the database what became of this bridge's sessions: rooms left, connections ended, and every few seconds that it is alive.
// Changes go out in order and at once; what comes while a statement is under way waits for it, so a storm becomes few statements.
// While PostgreSQL is away they wait, bounded, and are sent again. Knows no client; handlers call it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "db/database.hpp"
#include "loop/wheel.hpp"

namespace bridge::handlers {

class Bookkeeper {
public:
    static constexpr std::size_t kMaxWaiting = 200'000;  // beyond it they are dropped: a row then stays as it is until this bridge ends
    static constexpr std::size_t kBatch = 1'000;
    static constexpr std::size_t kBatchBytes = 4'000'000;  // leases have states
    static constexpr std::int64_t kHeartbeat = 2'000;      // ms
    static constexpr std::int64_t kRetry = 250;            // ms, while PostgreSQL is away

    Bookkeeper(db::Queries &queries, loop::Deadlines &deadlines, PublicId bridge);
    Bookkeeper(const Bookkeeper &) = delete;
    Bookkeeper &operator=(const Bookkeeper &) = delete;

    void start();
    const PublicId &bridge() const { return bridge_; }  // of this process

    // Each gives the number of the change. `generation` is the session's, of this connection: when it went on elsewhere, nothing happens.
    std::uint64_t left(const PublicId &key, std::uint64_t generation, std::string_view room);
    // An eviction at this position took the membership away.
    std::uint64_t evicted(const PublicId &key, std::uint64_t generation, std::string_view room, Position position);
    std::uint64_t ended(const PublicId &key, std::uint64_t generation);      // may be continued
    std::uint64_t forgotten(const PublicId &key, std::uint64_t generation);  // never

    // Of leases (leases.hpp). It was active so many ms ago; it is not present in a room any more; it is present, as `lease` says.
    std::uint64_t active(const PublicId &key, std::uint64_t generation, std::int64_t idle);
    std::uint64_t untracked(const PublicId &key, std::uint64_t generation, std::string_view room);
    std::uint64_t present(const PublicId &key, std::uint64_t generation, std::string_view lease);
    std::uint64_t leases_complete(std::string_view token);
    void before_beat(std::function<void()> then) { before_beat_ = std::move(then); }
    // The database does not have this bridge's leases. Called with its token, which goes back by leases_complete().
    void when_leases_are_wanted(std::function<void(const std::string &)> then) { leases_wanted_ = std::move(then); }

    // Are this change and all before it in the database?
    bool stored(std::uint64_t change) const { return change <= stored_; }
    // Called once they are, or with false when PostgreSQL does not take them now. Never inside this call.
    void when_stored(std::uint64_t change, std::function<void(bool)> then);
    std::uint64_t last() const { return stored_ + changes_.size(); }
    std::uint64_t last_but_ends() const { return last_but_ends_; }  // the last change that is more than an end

private:
    std::uint64_t add(std::string change);
    void send();
    void answered(const Result<std::string> &answer);
    void beat();

    struct Alarm : loop::Wheel::Entry {
        explicit Alarm(Bookkeeper &owner);
        Bookkeeper &owner;
    };
    struct Waiter {
        std::uint64_t change;
        std::function<void(bool)> then;
    };

    db::Queries &queries_;
    loop::Deadlines &deadlines_;
    const PublicId bridge_;
    std::deque<std::string> changes_;  // rendered; the first is number stored_ + 1
    std::uint64_t stored_ = 0;
    std::uint64_t last_but_ends_ = 0;
    std::size_t under_way_ = 0;  // of changes_
    bool busy_ = false;
    std::deque<Waiter> waiters_;
    bool full_ = false;  // said so in the log
    std::function<void()> before_beat_;
    std::function<void(const std::string &)> leases_wanted_;
    Alarm alarm_;
};

}  // namespace bridge::handlers
