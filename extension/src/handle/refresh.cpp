// pulse.handle_refresh: a client shows a newer token on a live connection. Everything that its rights come from is asked again with the
// new claims: the connect functions, and the policies of all rooms that they do not give. One that refuses to let it in refuses the
// token, and nothing has changed; a room that it may not be in any more is left.
#include "handle/decide.hpp"
#include "handle/door.hpp"
#include "handle/sessions.hpp"
#include "json/slice.hpp"

#include <algorithm>

namespace pulse::handle {

namespace {

bool contains(const std::vector<std::string> &rooms, const std::string &room) {
    return std::find(rooms.begin(), rooms.end(), room) != rooms.end();
}

std::vector<std::string> rooms_of(std::string_view context) {
    const auto members = json::members(context);
    const auto list = members ? json::find(*members, "rooms") : std::nullopt;
    const auto elements = list ? json::elements(*list) : std::nullopt;
    if (!elements) pg::fail(kBadRequest, "context.rooms is no JSON array");
    std::vector<std::string> rooms;
    for (const std::string_view element : *elements) {
        auto room = json::unescape(element);
        if (!room) pg::fail(kBadRequest, "a room is no string");
        rooms.push_back(std::move(*room));
    }
    return rooms;
}

// Those of the rooms that neither a connect function nor a policy lets it be in.
std::vector<std::string> refused(Oid owner, const auth::Context &context, const std::vector<std::string> &rooms, const Welcome &welcome) {
    std::vector<Request> requests;
    for (const std::string &room : rooms)
        if (!contains(welcome.rooms, room)) requests.push_back({"join", room, &context, false, {}});
    if (!requests.empty()) within_deadline("deciding", [&] { decide_all(owner, requests); });
    std::vector<std::string> left;
    for (const Request &request : requests)
        if (!request.allowed) left.push_back(request.room);
    return left;
}

// Who comes back with a cursor from before this has not heard that it left: for it that is an eviction.
void store(Oid owner, const auth::Context &context, std::optional<int64> generation, const std::optional<Cursor> &position,
           const std::vector<std::string> &left, const std::vector<std::string> &joined, Welcome welcome) {
    static pg::Plan find(
        "SELECT s.data, s.generation, s.user_id IS NOT DISTINCT FROM $2 FROM _pulse.sessions s WHERE s.key = $1 FOR UPDATE");
    static pg::Plan write("UPDATE _pulse.sessions s SET jti = $2, data = $3 WHERE s.key = $1");
    const LogScope scope(owner);
    if (find.run({pg::param_text(*context.session_id), pg::param_text(context.user_id)}) == 0) return;  // a crash lost it
    if (!pg::result_row().boolean(3)) pg::fail(kForbidden, "the session is another user's");
    if (generation && pg::result_row().int8(2) > *generation) pg::fail(kForbidden, "the session has gone to another connection");
    const auto stored = pg::result_row().optional_text(1);
    welcome.keep(stored ? std::optional<std::string>(*stored) : std::nullopt);
    std::vector<Change> changes;
    const int64 at = position ? position->position : 0;
    for (const std::string &room : left) {
        changes.push_back({Change::Kind::kLeave, room, at, generation});
        changes.push_back({Change::Kind::kEvicted, room, at, generation});
    }
    for (const std::string &room : joined) changes.push_back({Change::Kind::kJoin, room, at, generation});
    if (!changes.empty()) apply({{*context.session_id, std::move(changes)}});
    write.run({pg::param_text(*context.session_id), pg::param_text(text_claim(context, "jti")), pg::param_json(welcome.stored_data())});
}

void append(std::string &text, const char *name, const std::vector<std::string> &rooms) {
    text.append("\"").append(name).append("\":[");
    for (const std::string &room : rooms) text += (text.back() == '[' ? "" : ",") + json::quoted(room);
    text += "],";
}

}  // namespace

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_handle_refresh) {
    const Oid owner = pg::function_owner(fcinfo);
    const std::string name = handle::text_argument(fcinfo, 0, "namespace");
    auth::Context context = handle::context_argument(fcinfo, 1);
    context.namespace_name = name;
    if (!context.session_id) pg::fail(handle::kBadRequest, "context.sessionId is missing");
    const std::string_view text = pg::view(pg::arg(fcinfo, 1));
    const auto members = json::members(text);
    const auto generation = handle::integer(json::find(*members, "generation"));
    const std::vector<std::string> rooms = handle::rooms_of(text);

    handle::Door door(owner, name, context);
    const handle::Welcome welcome = door.greet(context);
    const std::vector<std::string> left = handle::refused(owner, context, rooms, welcome);
    std::vector<std::string> joined;
    for (const std::string &room : welcome.rooms)
        if (!handle::contains(rooms, room)) joined.push_back(room);
    handle::store(owner, context, generation, door.position(), left, joined, welcome);

    std::string answer = "{";
    handle::append(answer, "left", left);
    handle::append(answer, "joined", joined);
    return pg::text_datum(answer + "\"position\":" + (door.position() ? json::quoted(door.position()->text()) : "null") + "}");
}
