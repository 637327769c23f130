// The stored sessions, _pulse.sessions: one row each, so that any bridge can continue any of them. Written by the calls of the
// bridge and read when a client comes back (recovery.hpp). Everything here runs inside a LogScope.
#pragma once

#include "handle/evictions.hpp"

#include <map>

namespace pulse::handle {

struct Membership {
    std::string room;
    int64 joined_at = 0;  // position: later events of the room are the session's
};

struct Session {
    std::string key, socket_id, bridge, name;  // name: of its namespace
    std::optional<std::string> user_id, jti;
    int64 generation = 0;
    std::vector<Membership> rooms;
    std::optional<std::string> cursor;  // of its connect
    int64 decided_position = 0;         // of its last connect's decision
    int64 evicted_position = 0;         // of the last eviction that a bridge carried out
    int64 arrived_at = 0;               // when its client stood at the bridge, in ms; 0: nobody says
    bool connected = false, expired = false;
    std::optional<std::string> data;  // raw JSON object: what connect functions gave

    static std::optional<Session> find(std::string_view pid);
};

// A session that begins now. Repeated for the same key (the bridge asks again when it could not use the answer) it replaces the row.
struct NewSession {
    std::string key, socket_id, bridge, name;
    std::optional<std::string> pid, user_id, jti;
    std::vector<std::string> rooms;
    std::optional<Cursor> cursor;
    int64 arrived_at = 0;
    std::optional<std::string> data, device;
    void store() const;
};

// What became of a session, in the order it happened.
struct Change {
    enum class Kind { kJoin, kLeave, kEvicted, kUntrack, kEnd, kForget };
    Kind kind;
    std::string room;
    int64 position = 0;               // kJoin: of the decision; kEvicted: of the eviction
    std::optional<int64> generation;  // of who says it: an owner before the last takeover is not listened to
};

// Applies changes by key; rows are locked in that order, which keeps two batches from waiting for each other. Returns the generations
// of the sessions that are stored.
std::map<std::string, int64> apply(const std::map<std::string, std::vector<Change>> &changes);

// What a handler or an answer joined and left becomes its session's with its transaction. `json`: the context as it came.
void store_memberships(Oid owner, std::string_view json, const auth::Context &context, const Effects &effects,
                       const std::optional<Cursor> &position);

// For a transaction that only begins a session: a crash may lose the row as a whole, and then its client fetches anew. What
// changes a row waits for the disk: a join that was lost would be a room that is missing from a recovery, and nobody would know.
// So does a transaction that has written already: what connect functions wrote is the application's, and not ours to risk.
void commit_without_waiting();

}  // namespace pulse::handle
