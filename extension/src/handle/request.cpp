// pulse.handle_request: an HTTP request that the bridge does not answer itself. Today streams: the registered function says which
// rooms and events the client is sent from here on, and whether it gets what it missed is decided as for a join.
#include "handle/evictions.hpp"
#include "json/slice.hpp"
#include "names/rules.hpp"
#include "pg/log_state.hpp"
#include "rooms/function.hpp"
#include "rooms/path.hpp"

#include <algorithm>

namespace pulse::handle {

namespace {

struct Stream {
    std::string path, function, auth;
    rooms::Path::Params params;
};

// The stream registered for a path: the most specific one, the application's before a pack's. Inside an OwnerScope and an SpiSession.
Stream find_stream(std::string_view path) {
    static pg::Plan plan("SELECT s.path, s.function, s.auth FROM _pulse.streams s WHERE s.extension IS NULL "
                         "OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = s.extension) "
                         "ORDER BY s.extension IS NOT NULL, s.path");
    std::optional<std::pair<rooms::Path, Stream>> best;
    plan.for_each(
        {},
        [&](const pg::Row &row) {
            auto parsed = rooms::Path::parse(row.text(1));
            if (!parsed.path || (best && !parsed.path->more_specific(best->first))) return;
            auto params = parsed.path->match(path);
            if (!params) return;
            best.emplace(std::move(*parsed.path),
                         Stream{std::string(row.text(1)), std::string(row.text(2)), std::string(row.text(3)), std::move(*params)});
        },
        true);
    if (!best) pg::fail(kNotFound, "nothing is here", {}, "Event streams are registered with pulse.stream(path, function, auth).");
    return std::move(best->second);
}

// What the bridge says of who asks, beside what every context has.
struct Asker {
    auth::Context context;
    bool signed_in = false, internal = false, internal_token = false;
    std::optional<std::string> auth_error, cursor;

    explicit Asker(FunctionCallInfo fcinfo) : context(context_argument(fcinfo, 3)) {
        const auto members = json::members(pg::view(pg::arg(fcinfo, 3)));
        const auto is = [&](const char *key) { return json::find(*members, key) == std::optional<std::string_view>("true"); };
        const auto text = [&](const char *key) -> std::optional<std::string> {
            const auto value = json::find(*members, key);
            if (!value || json::kind(*value) == json::Kind::kNull) return std::nullopt;
            auto result = json::unescape(*value);
            if (!result) pg::fail(kBadRequest, std::string("context.") + key + " is no string");
            return result;
        };
        const auto claims = json::find(*members, "claims");
        signed_in = claims && json::kind(*claims) == json::Kind::kObject;
        internal = is("internal");
        internal_token = is("internalToken");
        auth_error = text("authError");
        cursor = text("cursor");
    }

    void check(const std::string &auth) const {
        if (auth == "internal") {
            if (!internal) pg::fail(kNotFound, "nothing is here");
            if (!internal_token) pg::fail(kUnauthenticated, "the internal token is missing or wrong");
        } else if (auth == "jwt" && !signed_in) {
            pg::fail(kUnauthenticated, auth_error.value_or("a token is needed"));
        }
    }
};

// What the function is given.
std::string request_json(const std::string &method, const std::string &path, const Stream &stream, std::string_view request,
                         const Asker &asker) {
    const auto members = json::members(request);
    if (!members) pg::fail(kBadRequest, "request is no JSON object");
    std::string text = "{\"method\":" + json::quoted(method) + ",\"path\":" + json::quoted(path) + ",\"params\":{";
    const char *separator = "";
    for (const auto &[name, value] : stream.params) {
        text += separator + json::quoted(name) + ":" + json::quoted(value);
        separator = ",";
    }
    text += "},\"claims\":" + (asker.signed_in ? asker.context.claims : "null");
    for (const json::Member &member : *members) {
        if (member.key == "method" || member.key == "path" || member.key == "params" || member.key == "claims") continue;
        text += "," + json::quoted(member.key) + ":";
        text += member.value;
    }
    return text + "}";
}

// What the function gave, checked.
class Opened {
public:
    Opened(const std::string &function, std::string_view result) : function_(function) {
        const auto members = json::members(result);
        if (!members) bad("the result is no JSON object");
        for (const json::Member &member : *members) {
            if (json::kind(member.value) == json::Kind::kNull) continue;
            if (member.key == "rooms") {
                for (const std::string_view element : array(member)) add_room(element);
            } else if (member.key == "events") {
                events_.emplace();
                for (const std::string_view element : array(member)) events_->push_back(event_name(element));
            } else if (member.key == "first") {
                for (const std::string_view element : array(member)) add_first(element);
            } else {
                bad("unknown key \"" + member.key + "\"");
            }
        }
    }

    const std::vector<std::string> &rooms() const { return rooms_; }

    std::string json() const {
        std::string text = "\"rooms\":" + list(rooms_) + ",\"events\":" + (events_ ? list(*events_) : "null") + ",\"first\":[";
        const char *separator = "";
        for (const auto &[event, data] : first_) {
            text += separator + ("{\"event\":" + json::quoted(event)) + ",\"data\":" + data + "}";
            separator = ",";
        }
        return text + "]";
    }

private:
    [[noreturn]] void bad(const std::string &why) const {
        pg::fail(ERRCODE_INVALID_FUNCTION_DEFINITION, "stream function " + function_ + ": " + why, {},
                 "It returns {\"rooms\":[\"…\"],\"events\":[\"…\"]?,\"first\":[{\"event\":\"…\",\"data\":…}]?}, or null for not found.");
    }
    std::vector<std::string_view> array(const json::Member &member) const {
        auto elements = json::elements(member.value);
        if (!elements) bad(member.key + " is no JSON array");
        return std::move(*elements);
    }
    void add_room(std::string_view element) {
        auto room = json::unescape(element);
        if (!room) bad("a room is no string");
        if (const auto problem = names::check_room(*room)) bad(problem->message);
        if (std::find(rooms_.begin(), rooms_.end(), *room) == rooms_.end()) rooms_.push_back(std::move(*room));
    }
    std::string event_name(std::string_view element) const {
        auto name = json::unescape(element);
        if (!name) bad("an event is no string");
        if (const auto problem = names::check_event_name(*name)) bad(problem->message);
        return std::move(*name);
    }
    void add_first(std::string_view element) {
        const auto members = json::members(element);
        if (!members) bad("an element of first is no JSON object");
        for (const json::Member &member : *members)
            if (member.key != "event" && member.key != "data") bad("unknown key \"" + member.key + "\" in first");
        const auto event = json::find(*members, "event");
        first_.emplace_back(event_name(event.value_or("")), json::compact(json::find(*members, "data").value_or("null")));
    }
    static std::string list(const std::vector<std::string> &names) {
        std::string text = "[";
        for (const std::string &name : names) {
            if (text.size() > 1) text += ',';
            json::append_quoted(text, name);
        }
        return text += ']';
    }

    const std::string &function_;
    std::vector<std::string> rooms_;
    std::optional<std::vector<std::string>> events_;
    std::vector<std::pair<std::string, std::string>> first_;  // event, raw JSON
};

// From where on a client with a cursor can be given all that it missed in these rooms, or why it must fetch anew.
CheckedCursor resume(const Asker &asker, const std::vector<std::string> &rooms, const std::optional<Cursor> &position) {
    CheckedCursor checked = check_cursor(*asker.cursor, position);
    if (checked.reason) return checked;
    const auto evictions = evictions_after(checked.position, {asker.context.user_id, text_claim(asker.context, "jti"), rooms});
    if (std::any_of(evictions.begin(), evictions.end(), [&](const Eviction &eviction) {
            return !eviction.room || std::find(rooms.begin(), rooms.end(), *eviction.room) != rooms.end();
        }))
        checked.reason = "evicted";
    else if (checked.position < pg::log_floor() - 1)  // evictions may have gone while they were read
        checked.reason = "expired";
    return checked;
}

}  // namespace

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_handle_request) {
    const Oid owner = pg::function_owner(fcinfo);
    const std::string method = handle::text_argument(fcinfo, 0, "method"), path = handle::text_argument(fcinfo, 1, "path");
    if (pg::arg_is_null(fcinfo, 2)) pg::fail(handle::kBadRequest, "request is missing");
    const handle::Asker asker(fcinfo);
    const MemoryContext memory = CurrentMemoryContext;

    // Of what is for machines inside, nobody outside learns that it is there.
    if (!asker.internal && (path == "/internal" || path.starts_with("/internal/"))) pg::fail(handle::kNotFound, "nothing is here");
    std::optional<handle::Cursor> position;
    handle::Stream stream;
    {
        const handle::LogScope scope(owner);
        stream = handle::find_stream(path);
        asker.check(stream.auth);
        if (method != "GET") pg::fail(handle::kNotFound, "nothing is here for " + method, {}, "An event stream is opened by GET.");
        if (asker.signed_in && handle::is_revoked(asker.context)) pg::fail(handle::kUnauthenticated, "the token is revoked");
        position = handle::cursor();
    }
    std::optional<rooms::Callable> function;
    {
        const pg::OwnerScope scope(owner);
        function.emplace(stream.function, rooms::kStreamShape, memory);
    }

    const std::string request = handle::request_json(method, path, stream, pg::view(pg::arg(fcinfo, 2)), asker);
    std::optional<handle::Opened> opened;
    {
        const handle::NoEffects no_effects;
        const auth::Scope scope(asker.context);
        const auto result = handle::run_as_client(rooms::client_role(), "stream function " + stream.function,
                                                  [&] { return (*function)({pg::text_datum(request)}); });
        if (!result || json::kind(pg::view(*result)) == json::Kind::kNull) pg::fail(handle::kNotFound, "nothing is here");
        opened.emplace(stream.function, pg::view(*result));
    }

    std::string answer = "{\"kind\":\"stream\",\"path\":" + json::quoted(stream.path) + "," + opened->json() +
                         ",\"position\":" + (position ? json::quoted(position->text()) : "null");
    if (asker.cursor) {
        const handle::LogScope scope(owner);
        const handle::CheckedCursor from = handle::resume(asker, opened->rooms(), position);
        answer += ",\"since\":" + (from.reason ? "null" : std::to_string(from.position));
        answer +=
            from.reason ? ",\"recovered\":false,\"mustRefetch\":" + json::quoted(*from.reason) : ",\"recovered\":true,\"mustRefetch\":null";
    } else {
        answer += ",\"since\":null,\"recovered\":null,\"mustRefetch\":null";
    }
    return pg::text_datum(answer + "}");
}
