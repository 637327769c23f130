// Leases of sessions: written by handlers and connect functions, reported by bridges.
#include "handle/leases.hpp"

#include <algorithm>

namespace pulse::handle {

namespace {

pg::Plan::Param param_ms(const std::optional<int64> &ms) { return {INT8OID, Int64GetDatum(ms.value_or(0)), !ms}; }

// Whose lease, and where.
struct Place {
    const std::string &room, &user_id, &session;
};

// A new state of a lease that is there, which is what happens most of the time. False: there is none that counts, or its session has
// ended meanwhile.
bool renew(const Place &at, const Lease &lease) {
    static pg::Plan newest("SELECT l.state, p.announced FROM _pulse.leases l JOIN _pulse.presences p ON p.room = l.room AND p.user_id = "
                           "l.user_id WHERE l.user_id = $1 AND l.room = $2 AND NOT l.lapsed "
                           "ORDER BY l.tracked_at DESC, l.session DESC LIMIT 1");
    static pg::Plan update(
        "UPDATE _pulse.leases l SET state = $4, announce = l.announce OR $5, ttl = $6 * interval '1 ms', "
        "tracked_at = pg_catalog.clock_timestamp(), expires_at = pg_catalog.clock_timestamp() + $6 * interval '1 ms', "
        "due_at = CASE WHEN $6 IS NOT NULL THEN LEAST(l.due_at, pg_catalog.clock_timestamp() + $6 * interval '1 ms') END "
        "WHERE l.user_id = $1 AND l.room = $2 AND l.session = $3 AND NOT l.lapsed AND l.gone_at IS NULL");
    static pg::Plan settle("SELECT _pulse.settle_presence($1, $2, $3, true, NULL)");
    static pg::Plan publish("SELECT pulse.publish($1, 'presence:update', pg_catalog.json_build_object('userId', $2, 'state', $3, "
                            "'at', pulse.iso8601(pg_catalog.clock_timestamp())))");
    if (newest.run({pg::param_text(at.user_id), pg::param_text(at.room)}) == 0) return false;
    const std::string before(pg::result_row().text(1));
    const bool announced = pg::result_row().boolean(2);
    if (update.run({pg::param_text(at.user_id),
                    pg::param_text(at.room),
                    pg::param_text(at.session),
                    pg::param_json(lease.state),
                    {BOOLOID, BoolGetDatum(lease.announce)},
                    param_ms(lease.ttl)}) == 0)
        return false;
    if (!lease.announce) return true;
    if (!announced)
        settle.run({pg::param_text(at.room), pg::param_text(at.user_id), pg::param_json(before)});
    else if (before != lease.state)
        publish.run({pg::param_text(at.room), pg::param_text(at.user_id), pg::param_json(lease.state)});
    return true;
}

void set(const Place &at, const std::optional<std::string> &bridge, const Lease &lease, int64 age, bool fresh) {
    static pg::Plan plan("SELECT _pulse.set_lease($1, $2, $3, $4, $5, $6 * interval '1 ms', $7, $8 * interval '1 ms', $9)");
    plan.run({pg::param_text(at.room),
              pg::param_text(at.user_id),
              pg::param_text(at.session),
              pg::param_text(bridge),
              pg::param_json(lease.state),
              param_ms(lease.ttl),
              {BOOLOID, BoolGetDatum(lease.announce)},
              pg::param_int8(age),
              {BOOLOID, BoolGetDatum(fresh)}});
}

void end(const Place &at) {
    static pg::Plan plan("SELECT _pulse.end_lease($1, $2, $3)");
    plan.run({pg::param_text(at.room), pg::param_text(at.user_id), pg::param_text(at.session)});
}

// Is there something to do that needs the user's lock? Who only leaves rooms was seldom tracked there.
bool concerns_leases(const std::map<std::string, std::optional<Lease>> &presence, const std::string &session) {
    static pg::Plan plan("SELECT FROM _pulse.leases l WHERE l.session = $1 LIMIT 1");
    if (presence.empty()) return false;
    return std::any_of(presence.begin(), presence.end(), [](const auto &entry) { return entry.second.has_value(); }) ||
           plan.run({pg::param_text(session)}) > 0;
}

// Who has the session, under a lock that keeps it from ending before this transaction does.
struct Holder {
    enum class Is { kBridge, kNobody, kUnknown };  // kNobody: it has ended, or this connection has no say in it any more
    Is is;
    std::optional<std::string> bridge;  // nullopt: its caller stores no sessions
};

// kUnknown: a bridge has it, but its row is gone. Whether it still lives only that bridge can say.
Holder holder_of(const std::string &session, const std::optional<int64> &generation) {
    static pg::Plan plan("SELECT s.bridge, s.generation, s.ended_at IS NULL FROM _pulse.sessions s WHERE s.key = $1 FOR SHARE");
    if (plan.run({pg::param_text(session)}) == 0) return {generation ? Holder::Is::kUnknown : Holder::Is::kBridge, std::nullopt};
    const pg::Row row = pg::result_row();
    if (!row.boolean(3) || (generation && *generation < row.int8(2))) return {Holder::Is::kNobody, std::nullopt};
    return {Holder::Is::kBridge, std::string(row.text(1))};
}

// Returns the rooms where the bridge is to write its lease itself.
std::vector<std::string> store_presence(const auth::Context &context, const std::optional<int64> &generation,
                                        const std::map<std::string, std::optional<Lease>> &presence) {
    std::vector<std::string> unstored;
    // With one room the session's row is locked only when its lease is new, with several before the first of them: a report of the
    // session's end locks them in this order, too.
    std::optional<Holder> holder;
    if (presence.size() > 1) holder = holder_of(*context.session_id, generation);
    for (const auto &[room, lease] : presence) {
        const Place at{room, *context.user_id, *context.session_id};
        if (!lease) {
            end(at);
            continue;
        }
        if (holder && holder->is == Holder::Is::kNobody) continue;
        if (renew(at, *lease)) continue;
        if (!holder) holder = holder_of(*context.session_id, generation);
        if (holder->is == Holder::Is::kUnknown) unstored.push_back(room);
        if (holder->is == Holder::Is::kBridge) set(at, holder->bridge, *lease, 0, true);
    }
    return unstored;
}

}  // namespace

void lock_presence(const std::string &user_id) {
    static pg::Plan plan("SELECT _pulse.lock_presence($1)");
    plan.run({pg::param_text(user_id)});
}

void store_effects(Oid owner, std::string_view json, const auth::Context &context, Effects &effects,
                   const std::optional<Cursor> &position) {
    const auto presence = effects.presence();
    bool concerned = false;
    if (!presence.empty() && context.session_id && context.user_id) {
        const LogScope scope(owner);
        concerned = concerns_leases(presence, *context.session_id);
        if (concerned) lock_presence(*context.user_id);
    }
    store_memberships(owner, json, context, effects, position);
    if (!concerned) return;
    const LogScope scope(owner);
    const auto unstored = store_presence(context, integer(json::find(*json::members(json), "generation")), presence);
    if (unstored.empty()) return;
    std::string rooms;
    for (const std::string &room : unstored) rooms += (rooms.empty() ? "" : ",") + json::quoted(room);
    effects.add("{\"unstored\":[" + rooms + "]}");
}

void store_leases_of_connect(const auth::Context &context, const std::string &bridge,
                             const std::map<std::string, std::optional<Lease>> &tracked, bool fresh) {
    if (!context.user_id) return;
    for (const auto &[room, lease] : tracked)
        if (lease) set({room, *context.user_id, *context.session_id}, bridge, *lease, 0, fresh);
}

void leave_leases(const std::string &session, const std::vector<std::string> &rooms) {
    static pg::Plan plan("SELECT _pulse.left_leases($1, $2)");
    if (rooms.empty()) return;
    plan.run({pg::param_texts(std::vector<std::string_view>(rooms.size(), session)), pg::param_texts({rooms.begin(), rooms.end()})});
}

std::optional<std::string> resume_leases(const std::string &session, const std::string &user_id, const std::string &bridge) {
    static pg::Plan any("SELECT FROM _pulse.leases l WHERE l.session = $1 LIMIT 1");
    static pg::Plan plan("SELECT _pulse.resume_leases($1, $2, $3)");
    if (any.run({pg::param_text(session)}) == 0) return std::nullopt;
    plan.run({pg::param_text(session), pg::param_text(user_id), pg::param_text(bridge)});
    const auto text = pg::result_row().optional_text(1);
    return text ? std::optional<std::string>(*text) : std::nullopt;
}

Lease lease_of(const std::vector<json::Member> &members) {
    const auto state = json::find(members, "state");
    if (!state) pg::fail(kBadRequest, "a lease has no state");
    return {json::compact(*state), integer(json::find(members, "ttl")),
            json::find(members, "announce") != std::optional<std::string_view>("false")};
}

// ---- what bridges report

void LeaseReport::lock_users() const {
    static pg::Plan plan(
        "SELECT pg_catalog.pg_advisory_xact_lock('_pulse.leases'::pg_catalog.regclass::pg_catalog.oid::pg_catalog.int4, u.hash) "
        "FROM (SELECT DISTINCT pg_catalog.hashtext(n.name) AS hash FROM pg_catalog.unnest($1) n (name) ORDER BY hash) u");
    if (written.empty()) return;
    std::vector<std::string_view> users;
    for (const auto &[key, list] : written)
        for (const auto &[generation, one] : list) users.push_back(one.user_id);
    plan.run({pg::param_texts(users)});
}

void LeaseReport::apply(const std::string &bridge, const std::map<std::string, std::vector<Change>> &changes,
                        const std::map<std::string, int64> &generations) const {
    static pg::Plan gone("SELECT _pulse.gone_leases($1)");
    static pg::Plan left("SELECT _pulse.left_leases($1, $2)");
    static pg::Plan renewed("SELECT _pulse.renew_leases($1, $2)");
    static pg::Plan completed("UPDATE _pulse.lease_bridges b SET complete = true WHERE b.bridge = $1 AND b.token = $2");
    const auto counts = [&](const std::string &key, const std::optional<int64> &generation) {
        const auto stored = generations.find(key);
        return !generation || stored == generations.end() || *generation >= stored->second;
    };
    for (const auto &[key, list] : written)
        for (const auto &[generation, one] : list)
            if (counts(key, generation)) set({one.room, one.user_id, key}, bridge, one.lease, one.age, one.fresh);
    std::vector<std::string_view> ended, leavers, rooms, actives;
    std::vector<int64> idle;
    for (const auto &[key, list] : changes)
        for (const Change &change : list) {
            if (!counts(key, change.generation)) continue;
            if (change.kind == Change::Kind::kEnd || change.kind == Change::Kind::kForget) {
                ended.push_back(key);
            } else if (change.kind != Change::Kind::kJoin) {
                leavers.push_back(key);
                rooms.push_back(change.room);
            }
        }
    for (const auto &[key, one] : active)
        if (counts(key, one.first)) {
            actives.push_back(key);
            idle.push_back(one.second);
        }
    if (!leavers.empty()) left.run({pg::param_texts(leavers), pg::param_texts(rooms)});
    if (!ended.empty()) gone.run({pg::param_texts(ended)});
    if (!actives.empty()) renewed.run({pg::param_texts(actives), pg::param_int8s(idle)});
    if (complete) completed.run({pg::param_text(bridge), pg::param_text(*complete)});
}

std::optional<std::string> leases_are_wanted(const std::string &bridge) {
    static pg::Plan find("SELECT b.complete, b.token FROM _pulse.lease_bridges b WHERE b.bridge = $1");
    static pg::Plan insert("INSERT INTO _pulse.lease_bridges AS b (bridge, complete) VALUES ($1, false) ON CONFLICT ON CONSTRAINT "
                           "lease_bridges_pkey DO UPDATE SET complete = b.complete RETURNING b.complete, b.token");
    if (find.run({pg::param_text(bridge)}) == 0) insert.run({pg::param_text(bridge)});
    const pg::Row row = pg::result_row();
    return row.boolean(1) ? std::nullopt : std::optional<std::string>(row.text(2));
}

}  // namespace pulse::handle
