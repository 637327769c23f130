// The checks of a recovery, and the takeover.
#include "handle/recovery.hpp"

#include "handle/decide.hpp"
#include "json/slice.hpp"
#include "pg/log_state.hpp"

#include <algorithm>

namespace pulse::handle {

// Whether a connection stood at its bridge before the one that has the session. No call waits longer than this: what seems to come
// from before that comes from a machine whose clock is wrong, and may go on.
static bool came_before(int64 arrived_at, int64 owner_arrived_at) {
    constexpr int64 kLongestWait = 120'000;  // ms
    return arrived_at != 0 && arrived_at < owner_arrived_at && arrived_at > owner_arrived_at - kLongestWait;
}

Recovery Recovery::begin(Oid owner, std::string_view json, const auth::Context &context, int64 arrived_at,
                         const std::optional<Cursor> &decided) {
    Recovery recovery;
    recovery.arrived_at_ = arrived_at;
    const auto members = json::members(json);
    const auto pid = members ? json::find(*members, "pid") : std::nullopt;
    const auto cursor = members ? json::find(*members, "cursor") : std::nullopt;
    const auto secret = pid ? json::unescape(*pid) : std::nullopt;
    std::optional<std::string> given;
    if (cursor && json::kind(*cursor) != json::Kind::kNull) given = json::unescape(*cursor).value_or("");
    const LogScope scope(owner);
    std::optional<Session> session;
    if (secret) session = Session::find(*secret);
    if (!session || session->name != context.namespace_name) {
        recovery.refused_ = "unknown";
        return recovery;
    }
    recovery.session_ = std::move(*session);
    recovery.check(context, given, decided);
    return recovery;
}

void Recovery::check(const auth::Context &context, const std::optional<std::string> &cursor, const std::optional<Cursor> &decided) {
    if (session_.user_id != context.user_id) {
        refused_ = "forbidden";
    } else if (session_.expired) {
        refused_ = "expired";
    } else if (came_before(arrived_at_, session_.arrived_at)) {
        refused_ = "unknown";  // its client has come back on another connection meanwhile; this one waited too long
    } else if (!cursor && !session_.cursor) {
        refused_ = "unknown";
    } else {
        cursor_ = cursor ? *cursor : *session_.cursor;
        const CheckedCursor checked = check_cursor(cursor_, decided);
        refused_ = checked.reason;
        since_ = checked.position;
        if (!refused_) check_evictions();
        if (!refused_ && since_ < pg::log_floor() - 1) refused_ = "expired";  // evictions may have gone while they were read
    }
}

// An eviction that the client has not heard of: it missed a part that nobody can give it. One before its cursor ended the
// membership and nothing else. A cursor is the client's word, so a revocation counts from the session's last connect on.
void Recovery::check_evictions() {
    Subject subject{session_.user_id, session_.jti, {}};
    int64 after = std::min(since_, session_.decided_position);
    for (const Membership &member : session_.rooms) {
        subject.rooms.push_back(member.room);
        after = std::min(after, member.joined_at);
    }
    kept_ = session_.rooms;
    if (session_.evicted_position > since_) refused_ = "evicted";
    for (const Eviction &eviction : evictions_after(after, subject)) {
        if (eviction.position > (eviction.room ? since_ : session_.decided_position)) refused_ = "evicted";
        std::erase_if(kept_,
                      [&](const Membership &member) { return member.room == eviction.room && member.joined_at < eviction.position; });
    }
}

bool Recovery::still_allowed(Oid owner, const auth::Context &context, const std::vector<std::string> &given) {
    std::vector<Request> requests;
    for (const Membership &member : kept_) {
        if (std::find(given.begin(), given.end(), member.room) != given.end()) continue;
        requests.emplace_back();
        requests.back().operation = "join";
        requests.back().room = member.room;
        requests.back().context = &context;
    }
    if (!requests.empty()) within_deadline("deciding", [&] { decide_all(owner, requests); });
    if (std::any_of(requests.begin(), requests.end(), [](const Request &request) { return !request.allowed; })) refused_ = "forbidden";
    return !refused_;
}

bool Recovery::take_over(Oid owner, const auth::Context &context, const std::string &bridge, const std::vector<std::string> &given,
                         const std::optional<Cursor> &decided, const std::optional<std::string> &data,
                         const std::optional<std::string> &device) {
    static pg::Plan plan("UPDATE _pulse.sessions s SET generation = s.generation + 1, bridge = $4, jti = $5, rooms = $6, joined_at = $7, "
                         "epoch = $8, position = $9, decided_position = $10, "
                         "arrived_at = GREATEST(s.arrived_at, $11), ended_at = NULL, data = $12, device = COALESCE($13, s.device) "
                         "WHERE s.key = $1 AND s.generation = $2 AND s.rooms = $3");
    const int64 position = decided ? decided->position : 0;
    std::vector<Membership> rooms = kept_;
    for (const std::string &room : given)
        if (std::none_of(rooms.begin(), rooms.end(), [&](const Membership &member) { return member.room == room; }))
            rooms.push_back({room, position});
    std::vector<std::string_view> before, names;
    std::vector<int64> joined_at;
    for (const Membership &member : session_.rooms) before.push_back(member.room);
    for (const Membership &member : rooms) {
        names.push_back(member.room);
        joined_at.push_back(member.joined_at);
    }
    const LogScope scope(owner);
    const std::size_t colon = cursor_.rfind(':');
    if (plan.run({pg::param_text(session_.key), pg::param_int8(session_.generation), pg::param_texts(before), pg::param_text(bridge),
                  pg::param_text(text_claim(context, "jti")), pg::param_texts(names), pg::param_int8s(joined_at),
                  pg::param_text(cursor_.substr(0, colon)), pg::param_int8(since_), pg::param_int8(position), pg::param_int8(arrived_at_),
                  pg::param_json(data), pg::param_text(device)}) == 0) {
        changed_ = true;
        refused_ = "unknown";
        return false;
    }
    ++session_.generation;
    if (session_.connected && session_.bridge != bridge) publish_takeover(session_.key, session_.generation);
    rooms_ = std::move(rooms);
    for (Membership &member : rooms_) member.joined_at = std::max(member.joined_at, since_);
    return true;
}

std::vector<std::string> Recovery::dropped() const {
    std::vector<std::string> dropped;
    for (const Membership &member : session_.rooms)
        if (std::none_of(rooms_.begin(), rooms_.end(), [&](const Membership &kept) { return kept.room == member.room; }))
            dropped.push_back(member.room);
    return dropped;
}

std::string Recovery::session_json() const {
    return "{\"key\":" + json::quoted(session_.key) + ",\"socketId\":" + json::quoted(session_.socket_id) +
           ",\"generation\":" + std::to_string(session_.generation) + ",\"cursor\":" + json::quoted(cursor_) + "}";
}

}  // namespace pulse::handle
