// Where the sessions of this bridge are present (docs/reference/presence.md): what SQL said of each, so that it can be written again
// when the database has lost it, and when a session with a time to live was last heard of. Holds nothing for sessions that are not
// tracked. The database decides what a lease means; this only remembers and reports through the bookkeeper.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"
#include "handlers/bookkeeper.hpp"

namespace bridge::handlers {

class Leases {
public:
    Leases(Bookkeeper &bookkeeper, loop::Deadlines &deadlines);
    Leases(const Leases &) = delete;
    Leases &operator=(const Leases &) = delete;

    struct Owner {
        const PublicId &key;
        std::uint64_t generation;
        std::string_view user;
    };
    // `lease`: {"room","state","ttl","announce"} as SQL gave it.
    void tracked(const Owner &owner, std::string_view lease);
    void resumed(const Owner &owner, std::string_view leases);  // an array of them: a session that came back
    // SQL does not have the session's row and asks whether it lives: it does, so its leases in these rooms (a JSON array) are written.
    // Returns the bookkeeper's number of the last; 0: there is nothing to write.
    std::uint64_t write_unstored(const PublicId &key, std::string_view rooms);
    void untracked(const PublicId &key, std::string_view room);
    void left(const PublicId &key, std::string_view room);  // the database hears of the leave anyway
    void ended(const PublicId &key);
    void heard(const PublicId &key);  // its client said something

    std::size_t sessions() const { return sessions_.size(); }

private:
    struct Lease {
        std::string room, state;  // state: raw JSON
        std::int64_t ttl = 0;     // ms; 0: none
        bool announce = true;
        std::int64_t tracked_at = 0;
    };
    struct Held {
        std::uint64_t generation = 0;
        std::string user;
        std::vector<Lease> leases;
        std::int64_t ttl = 0;  // the shortest; 0: none
        std::int64_t heard_at = 0, reported_at = 0;
        bool unreported = false;  // in heard_
    };
    using Sessions = std::unordered_map<PublicId, Held>;

    void set(const Owner &owner, Lease lease);
    bool erase(const PublicId &key, std::string_view room);
    static void find_ttl(Held &held);
    std::uint64_t write(const PublicId &key, const Held &held, const Lease &lease, bool fresh, std::size_t &bytes);
    void report(const PublicId &key, Held &held, std::int64_t now);
    void report_heard();
    void write(const std::string &token);
    void write_slice(std::vector<PublicId> keys, std::string token);
    void wait_for_slice(std::uint64_t last, std::vector<PublicId> keys, std::string token);
    bool writing() const { return !bookkeeper_.stored(written_); }

    Bookkeeper &bookkeeper_;
    loop::Deadlines &deadlines_;
    Sessions sessions_;
    std::vector<PublicId> heard_;  // since they were reported
    std::uint64_t written_ = 0;    // the bookkeeper's number of the last writing's end
};

}  // namespace bridge::handlers
