// Presence as calls of the bridge write it: what handlers track becomes leases in their transaction, and what bridges report ends or
// renews them. The rules are in sql/core/api/presence.sql; the one thing that is frequent, a new state, is done here. Whoever changes
// leases of a user takes that user's lock first, before any row; only a bridge's reports of ends, which nobody may hold up, do without.
#pragma once

#include "handle/sessions.hpp"
#include "json/slice.hpp"

namespace pulse::handle {

// What a handler or an answer joined, left, tracked and untracked becomes its session's with its transaction. `json`: the context as it
// came. A session without a row may have ended, or been lost to a crash: what it was tracked for is left to its bridge, by an effect more.
void store_effects(Oid owner, std::string_view json, const auth::Context &context, Effects &effects, const std::optional<Cursor> &position);

// What connect functions tracked. `fresh`: for a session that begins; one that goes on keeps what it has.
void store_leases_of_connect(const auth::Context &context, const std::string &bridge,
                             const std::map<std::string, std::optional<Lease>> &tracked, bool fresh);

// Inside a LogScope.
void lock_presence(const std::string &user_id);
void leave_leases(const std::string &session, const std::vector<std::string> &rooms);
std::optional<std::string> resume_leases(const std::string &session, const std::string &user_id, const std::string &bridge);  // as JSON

// What a bridge says about leases, beside what became of sessions.
struct LeaseReport {
    struct Written {  // after a crash, when the bridge had been thought dead, or when the session's row is lost
        std::string room, user_id;
        Lease lease;
        int64 age = 0;  // ms since it was tracked
        bool fresh = false;
    };
    std::map<std::string, std::vector<std::pair<std::optional<int64>, Written>>> written;  // by session, with its generation
    std::map<std::string, std::pair<std::optional<int64>, int64>> active;                  // how many ms ago
    std::optional<std::string> complete;  // all of them are written: the token under which they were wanted

    void lock_users() const;
    // `generations`: of the stored sessions; what an owner before the last takeover says is ignored.
    void apply(const std::string &bridge, const std::map<std::string, std::vector<Change>> &changes,
               const std::map<std::string, int64> &generations) const;
};
std::optional<std::string> leases_are_wanted(const std::string &bridge);  // the bridge is to write all of its leases, under this token

Lease lease_of(const std::vector<json::Member> &members);  // raises PL400

}  // namespace pulse::handle
