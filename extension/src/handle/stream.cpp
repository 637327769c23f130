// Opening an event stream: the registered function says which rooms and events the client is sent from here on, and whether it gets what
// it missed is decided as for a join.
#include "handle/evictions.hpp"
#include "handle/request.hpp"
#include "json/slice.hpp"
#include "names/rules.hpp"
#include "pg/log_state.hpp"
#include "rooms/function.hpp"

#include <algorithm>

namespace pulse::handle {

namespace {

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

std::string open_stream(Oid owner, const Request &request, const Target &target, const Asker &asker,
                        const std::optional<Cursor> &position) {
    std::optional<rooms::Callable> function;
    {
        const pg::OwnerScope scope(owner);
        function.emplace(target.function, rooms::kStreamShape, CurrentMemoryContext);
    }
    const std::string given = request_json(request, target, asker, std::nullopt);
    std::optional<Opened> opened;
    {
        const NoEffects no_effects;
        const auth::Scope scope(asker.context);
        const auto result = run_as_client(
            rooms::client_role(), "stream function " + target.function, [&] { return (*function)({pg::text_datum(given)}); }, given);
        if (!result || json::kind(pg::view(*result)) == json::Kind::kNull) pg::fail(kNotFound, "nothing is here");
        opened.emplace(target.function, pg::view(*result));
    }

    std::string answer = "{\"kind\":\"stream\",\"path\":" + json::quoted(target.path) + "," + opened->json() +
                         ",\"position\":" + (position ? json::quoted(position->text()) : "null");
    if (!asker.cursor) return answer + ",\"since\":null,\"recovered\":null,\"mustRefetch\":null}";
    const LogScope scope(owner);
    const CheckedCursor from = resume(asker, opened->rooms(), position);
    answer += ",\"since\":" + (from.reason ? "null" : std::to_string(from.position));
    answer +=
        from.reason ? ",\"recovered\":false,\"mustRefetch\":" + json::quoted(*from.reason) : ",\"recovered\":true,\"mustRefetch\":null";
    return answer + "}";
}

}  // namespace pulse::handle
