// Rooms, payloads and look-ups of evictions and revocations.
#include "handle/evictions.hpp"

#include "json/slice.hpp"
#include "names/room_value.hpp"
#include "names/rules.hpp"
#include "publish/event.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace pulse::handle {

namespace {

constexpr std::string_view kSystemRoom = "pulse:system", kEvictionsRoom = "pulse:evictions";
constexpr int64 kFew = 64;  // as many are read without asking whose they are

enum class Kind { kUser, kRoom, kToken };

// A long name is shortened to a hash: what is found by it is compared by its payload anyway.
std::string subject_room(Kind kind, const std::string &value) {
    std::string room = kind == Kind::kUser ? "pulse:user:" : kind == Kind::kRoom ? "pulse:room:" : "pulse:jti:";
    const std::size_t prefix = room.size();
    names::append_room_value(room, value);
    if (room.size() > names::kMaxName) {
        room.resize(prefix);
        room += "%" + std::to_string(
                          hash_bytes_extended(reinterpret_cast<const unsigned char *>(value.data()), static_cast<int>(value.size()), 0));
    }
    return room;
}

std::string json_or_null(const std::optional<std::string> &text) { return text ? json::quoted(*text) : "null"; }

int64 publish(std::string_view name, const std::string &payload, std::vector<std::string_view> rooms) {
    publish::Event event;
    event.name = name;
    event.rooms = std::move(rooms);
    event.payload = payload;
    return publish::store(event);
}

// What the event says about the subject, if anything.
std::optional<Eviction> read(int64 position, std::string_view name, std::string_view payload, const Subject &subject) {
    const auto members = json::members(payload);
    if (!members) return std::nullopt;
    const auto text = [&](const char *key) -> std::optional<std::string> {
        const auto value = json::find(*members, key);
        return value ? json::unescape(*value) : std::nullopt;
    };
    const auto user_id = text("userId"), room = text("room"), jti = text("jti");
    const bool of_user = user_id && user_id == subject.user_id;
    if (name == "pulse:evict" && room) {
        const bool concerned = user_id ? of_user : std::find(subject.rooms.begin(), subject.rooms.end(), *room) != subject.rooms.end();
        return concerned ? std::optional(Eviction{position, room}) : std::nullopt;
    }
    if (name == "pulse:revoke") {
        const bool concerned = jti ? jti == subject.jti && (!user_id || of_user) : of_user;
        return concerned ? std::optional(Eviction{position, std::nullopt}) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

LogScope::LogScope(Oid owner) : owner_(owner) {
    settings_.set("enable_seqscan", "off");
    settings_.set("enable_bitmapscan", "off");
    settings_.set("plan_cache_mode", "force_generic_plan");
    settings_.set("jit", "off");
}

std::vector<Eviction> evictions_after(int64 after, const Subject &subject) {
    static pg::Plan any("SELECT FROM pulse.deliveries d WHERE d.room = $1 AND d.position > $2 ORDER BY d.position LIMIT $3");
    static pg::Plan of_rooms("SELECT d.position, e.name, e.payload FROM pg_catalog.unnest($1) r (room) "
                             "JOIN pulse.deliveries d ON d.room = r.room AND d.position > $2 "
                             "JOIN pulse.events e ON e.xid = d.xid AND e.id = d.event_id");
    const uint64 found = any.run({pg::param_text(kEvictionsRoom), pg::param_int8(after), pg::param_int8(kFew + 1)}, true);
    if (found == 0) return {};
    std::vector<std::string> rooms;
    if (found > kFew) {
        if (subject.user_id) rooms.push_back(subject_room(Kind::kUser, *subject.user_id));
        if (subject.jti) rooms.push_back(subject_room(Kind::kToken, *subject.jti));
        for (const std::string &room : subject.rooms) rooms.push_back(subject_room(Kind::kRoom, room));
    } else {
        rooms.emplace_back(kEvictionsRoom);
    }
    std::vector<Eviction> result;
    of_rooms.for_each({pg::param_texts({rooms.begin(), rooms.end()}), pg::param_int8(after)}, [&](const pg::Row &row) {
        if (auto eviction = read(row.int8(1), row.text(2), row.text(3), subject)) result.push_back(std::move(*eviction));
    });
    return result;
}

int64 publish_eviction(const std::string &room, const std::optional<std::string> &user_id, const std::optional<std::string> &reason) {
    const std::string subject = user_id ? subject_room(Kind::kUser, *user_id) : subject_room(Kind::kRoom, room);
    return publish("pulse:evict",
                   "{\"room\":" + json::quoted(room) + ",\"userId\":" + json_or_null(user_id) + ",\"reason\":" + json_or_null(reason) + "}",
                   {kSystemRoom, kEvictionsRoom, subject});
}

int64 publish_takeover(const std::string &key, int64 generation) {
    return publish("pulse:takeover", "{\"key\":" + json::quoted(key) + ",\"generation\":" + std::to_string(generation) + "}",
                   {kSystemRoom});
}

int64 revoke(const Revocation &revocation) {
    static pg::Plan write(
        "INSERT INTO _pulse.revocations AS r (user_id, jti, revoked_at, expires_at, reason) "
        "VALUES ($1, $2, pg_catalog.clock_timestamp(), COALESCE($3, pg_catalog.clock_timestamp() + interval '24 hours'), $4) "
        "ON CONFLICT ON CONSTRAINT revocations_key DO UPDATE SET revoked_at = excluded.revoked_at, "
        "expires_at = GREATEST(r.expires_at, excluded.expires_at), reason = excluded.reason "
        "RETURNING pg_catalog.date_part('epoch', r.revoked_at)::text, pg_catalog.date_part('epoch', r.expires_at)::text");
    write.run({pg::param_text(revocation.user_id),
               pg::param_text(revocation.jti),
               {TIMESTAMPTZOID, revocation.expires_at.value_or(Datum(0)), !revocation.expires_at},
               pg::param_text(revocation.reason)});
    const std::string revoked_at(pg::result_row().text(1)), expires_at(pg::result_row().text(2));
    const std::string subject =
        revocation.jti ? subject_room(Kind::kToken, *revocation.jti) : subject_room(Kind::kUser, *revocation.user_id);
    return publish("pulse:revoke",
                   "{\"userId\":" + json_or_null(revocation.user_id) + ",\"jti\":" + json_or_null(revocation.jti) + ",\"revokedAt\":" +
                       revoked_at + ",\"expiresAt\":" + expires_at + ",\"reason\":" + json_or_null(revocation.reason) + "}",
                   {kSystemRoom, kEvictionsRoom, subject});
}

std::optional<std::string> text_claim(const auth::Context &context, const char *name) {
    const auto members = json::members(context.claims);
    const auto value = members ? json::find(*members, name) : std::nullopt;
    return value ? json::unescape(*value) : std::nullopt;
}

// Seconds since 1970 as a float8; nullopt when the token does not say when it was issued.
static std::optional<double> issued_at(const auth::Context &context) {
    const auto members = json::members(context.claims);
    const auto value = members ? json::find(*members, "iat") : std::nullopt;
    if (!value) return std::nullopt;
    const std::string_view text = json::trim(*value);
    double seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(seconds)) return std::nullopt;
    return seconds;
}

bool is_revoked(const auth::Context &context) {
    static pg::Plan plan("SELECT 1 FROM _pulse.revocations r WHERE r.jti = $2 AND (r.user_id IS NULL OR r.user_id = $1) "
                         "AND r.expires_at > pg_catalog.clock_timestamp() "
                         "UNION ALL SELECT 1 FROM _pulse.revocations r WHERE r.user_id = $1 AND r.jti IS NULL "
                         "AND r.expires_at > pg_catalog.clock_timestamp() "
                         "AND ($3 IS NULL OR $3 <= pg_catalog.date_part('epoch', r.revoked_at)) LIMIT 1");
    const auto jti = text_claim(context, "jti");
    if (!context.user_id && !jti) return false;
    const auto issued = issued_at(context);
    return plan.run({pg::param_text(context.user_id), pg::param_text(jti), {FLOAT8OID, Float8GetDatum(issued.value_or(0)), !issued}}) > 0;
}

}  // namespace pulse::handle
