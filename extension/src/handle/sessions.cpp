// Reading and writing the rows of sessions.
#include "handle/sessions.hpp"

#include "json/slice.hpp"
#include "pg/shmem.hpp"

#include <algorithm>

namespace pulse::handle {

std::optional<Session> Session::find(std::string_view pid) {
    static pg::Plan plan("SELECT s.key, s.socket_id, s.bridge, s.namespace, s.user_id, s.jti, s.generation, s.rooms, s.joined_at, s.epoch "
                         "|| ':' || s.position::text, "
                         "s.decided_position, s.evicted_position, s.arrived_at, s.ended_at IS NULL, "
                         "CASE WHEN s.ended IS NULL OR (s.ended_at IS NULL AND NOT $2) THEN false "
                         "ELSE s.ended < pg_catalog.clock_timestamp() - _pulse.recovery_window() END, s.data "
                         "FROM _pulse.session_states s WHERE s.pid_hash = pg_catalog.sha256(pg_catalog.convert_to($1, 'UTF8'))");
    const bool began = pg::epoch_is_open();  // else nobody could report to this server yet: who was silent need not be gone
    if (plan.run({pg::param_text(pid), {BOOLOID, BoolGetDatum(began)}}) == 0) return std::nullopt;
    const pg::Row row = pg::result_row();
    const auto optional = [&](int column) -> std::optional<std::string> {
        const auto text = row.optional_text(column);
        return text ? std::optional<std::string>(*text) : std::nullopt;
    };
    Session session;
    session.key = row.text(1);
    session.socket_id = row.text(2);
    session.bridge = row.text(3);
    session.name = row.text(4);
    session.user_id = optional(5);
    session.jti = optional(6);
    session.generation = row.int8(7);
    const auto rooms = pg::text_array(row.datum(8));
    const auto joined_at = pg::int8_array(row.datum(9));
    for (std::size_t n = 0; n < rooms.size() && n < joined_at.size(); ++n)
        session.rooms.push_back({std::string(rooms[n].value_or("")), joined_at[n]});
    session.cursor = optional(10);
    session.decided_position = row.int8(11);
    session.evicted_position = row.int8(12);
    session.arrived_at = row.int8(13);
    session.connected = row.boolean(14);
    session.expired = row.boolean(15);
    session.data = optional(16);
    return session;
}

void NewSession::store() const {
    static pg::Plan plan(
        "INSERT INTO _pulse.sessions AS s (key, pid_hash, user_id, jti, namespace, socket_id, bridge, rooms, joined_at, epoch, "
        "position, decided_position, arrived_at, data, device) VALUES ($1, pg_catalog.sha256(pg_catalog.convert_to($2, 'UTF8')), $3, $4, "
        "$5, $6, "
        "$7, "
        "$8, $9, $10, $11, $11, $12, $13, $14) ON CONFLICT (key) DO UPDATE SET rooms = excluded.rooms, joined_at = excluded.joined_at, "
        "epoch = excluded.epoch, position = excluded.position, decided_position = excluded.decided_position, data = excluded.data "
        "WHERE s.bridge = excluded.bridge AND s.generation = 1 AND s.user_id IS NOT DISTINCT FROM excluded.user_id");
    const int64 position = cursor ? cursor->position : 0;
    plan.run({pg::param_text(key), pg::param_text(pid), pg::param_text(user_id), pg::param_text(jti), pg::param_text(name),
              pg::param_text(socket_id), pg::param_text(bridge), pg::param_texts({rooms.begin(), rooms.end()}),
              pg::param_int8s(std::vector<int64>(rooms.size(), position)),
              pg::param_text(cursor ? std::optional(cursor->epoch) : std::nullopt), pg::param_int8(position), pg::param_int8(arrived_at),
              pg::param_json(data), pg::param_text(device)});
}

namespace {

// A row under its lock.
class Stored {
public:
    static std::optional<Stored> lock(const std::string &key);
    void apply(const Change &change);
    void write() const;
    int64 generation() const { return generation_; }

private:
    void join(const std::string &room, int64 position);

    std::string key_;
    std::optional<std::string> user_id_;
    int64 generation_ = 0, evicted_position_ = 0;
    std::vector<Membership> rooms_;
    bool moved_ = false, ended_ = false, forgotten_ = false;
};

std::optional<Stored> Stored::lock(const std::string &key) {
    static pg::Plan plan(
        "SELECT s.user_id, s.generation, s.evicted_position, s.rooms, s.joined_at FROM _pulse.sessions s WHERE s.key = $1 FOR UPDATE");
    if (plan.run({pg::param_text(key)}) == 0) return std::nullopt;
    const pg::Row row = pg::result_row();
    Stored stored;
    stored.key_ = key;
    if (const auto user_id = row.optional_text(1)) stored.user_id_ = std::string(*user_id);
    stored.generation_ = row.int8(2);
    stored.evicted_position_ = row.int8(3);
    const auto rooms = pg::text_array(row.datum(4));
    const auto joined_at = pg::int8_array(row.datum(5));
    for (std::size_t n = 0; n < rooms.size() && n < joined_at.size(); ++n)
        stored.rooms_.push_back({std::string(rooms[n].value_or("")), joined_at[n]});
    return stored;
}

// Joining a room again changes nothing: what was sent to it since the first join may still be on its way to the client. But a
// membership that was taken away meanwhile has ended, and this is another one.
void Stored::join(const std::string &room, int64 position) {
    const auto found = std::find_if(rooms_.begin(), rooms_.end(), [&](const Membership &member) { return member.room == room; });
    if (found == rooms_.end()) {
        rooms_.push_back({room, position});
        moved_ = true;
        return;
    }
    const auto evictions = evictions_after(found->joined_at, {user_id_, std::nullopt, {room}});
    if (std::any_of(evictions.begin(), evictions.end(),
                    [&](const Eviction &eviction) { return eviction.room == room && eviction.position <= position; })) {
        found->joined_at = position;
        moved_ = true;
    }
}

void Stored::apply(const Change &change) {
    // A higher one than the row's: a crash lost the takeover, and who speaks is the owner.
    if (change.generation && *change.generation < generation_) return;
    switch (change.kind) {
        case Change::Kind::kJoin: return join(change.room, change.position);
        case Change::Kind::kLeave:
            moved_ |= std::erase_if(rooms_, [&](const Membership &member) { return member.room == change.room; }) > 0;
            return;
        case Change::Kind::kEvicted:
            std::erase_if(rooms_,
                          [&](const Membership &member) { return member.room == change.room && member.joined_at < change.position; });
            evicted_position_ = std::max(evicted_position_, change.position);
            moved_ = true;
            return;
        case Change::Kind::kUntrack: return;  // its membership stays
        case Change::Kind::kEnd: ended_ = true; return;
        case Change::Kind::kForget: forgotten_ = true; return;
    }
}

void Stored::write() const {
    static pg::Plan forget("DELETE FROM _pulse.sessions s WHERE s.key = $1");
    static pg::Plan move("UPDATE _pulse.sessions s SET rooms = $2, joined_at = $3, evicted_position = $4 WHERE s.key = $1");
    static pg::Plan end("UPDATE _pulse.sessions s SET ended_at = pg_catalog.clock_timestamp() WHERE s.key = $1 AND s.ended_at IS NULL");
    if (forgotten_) {
        forget.run({pg::param_text(key_)});
        return;
    }
    if (moved_) {
        std::vector<std::string_view> rooms;
        std::vector<int64> joined_at;
        for (const Membership &member : rooms_) {
            rooms.push_back(member.room);
            joined_at.push_back(member.joined_at);
        }
        move.run({pg::param_text(key_), pg::param_texts(rooms), pg::param_int8s(joined_at), pg::param_int8(evicted_position_)});
    }
    if (ended_) end.run({pg::param_text(key_)});
}

}  // namespace

std::map<std::string, int64> apply(const std::map<std::string, std::vector<Change>> &changes) {
    std::map<std::string, int64> generations;
    for (const auto &[key, list] : changes) {
        auto stored = Stored::lock(key);
        if (!stored) continue;
        for (const Change &change : list) stored->apply(change);
        stored->write();
        generations[key] = stored->generation();
    }
    return generations;
}

void store_memberships(Oid owner, std::string_view json, const auth::Context &context, const Effects &effects,
                       const std::optional<Cursor> &position) {
    const auto memberships = effects.memberships();
    if (memberships.empty() || !context.session_id) return;
    const auto members = json::members(json);
    const auto generation = integer(json::find(*members, "generation"));
    std::map<std::string, std::vector<Change>> changes;
    for (const auto &[joined, room] : memberships)
        changes[*context.session_id].push_back(
            {joined ? Change::Kind::kJoin : Change::Kind::kLeave, room, position ? position->position : 0, generation});
    const LogScope scope(owner);
    apply(changes);
}

void commit_without_waiting() {
    pg::call([] {
        if (TransactionIdIsValid(GetTopTransactionIdIfAny())) return;
        if (synchronous_commit != SYNCHRONOUS_COMMIT_OFF)
            (void)set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
    });
}

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_session_data) {
    static pg::Plan plan("SELECT s.data FROM _pulse.sessions s WHERE s.key = $1");
    const auth::Context *context = auth::current();
    if (context == nullptr || !context->session_id) return pg::null_result(fcinfo);
    std::optional<std::string> data;
    {
        const handle::LogScope scope(pg::function_owner(fcinfo));
        if (plan.run({pg::param_text(*context->session_id)}, true) > 0)
            if (const auto text = pg::result_row().optional_text(1)) data = std::string(*text);
    }
    return data ? pg::text_datum(*data) : pg::null_result(fcinfo);
}
