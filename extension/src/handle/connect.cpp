// pulse.handle_connect: may a client connect to a namespace, and which rooms does it get at once. All connect functions
// of the namespace are asked; their rooms are united; one that raises refuses.
#include "handle/call.hpp"
#include "json/slice.hpp"
#include "names/room_value.hpp"
#include "names/rules.hpp"
#include "rooms/function.hpp"

#include <algorithm>

namespace pulse::handle {

namespace {

struct Welcome {
    std::vector<std::string> rooms;
    std::vector<std::pair<std::string, std::string>> data;  // key, raw JSON; a later function's key wins

    void join(std::string room) {
        if (std::find(rooms.begin(), rooms.end(), room) == rooms.end()) rooms.push_back(std::move(room));
    }
    void set(const std::string &key, std::string_view value) {
        for (auto &[name, text] : data)
            if (name == key) {
                text = json::compact(value);
                return;
            }
        data.emplace_back(key, json::compact(value));
    }
    std::string json(const std::optional<std::string> &position) const {
        std::string text = "{\"rooms\":[";
        for (const std::string &room : rooms) text += (&room == &rooms.front() ? "" : ",") + json::quoted(room);
        text += "],\"data\":{";
        for (const auto &entry : data) text += (&entry == &data.front() ? "" : ",") + json::quoted(entry.first) + ":" + entry.second;
        return text + "},\"position\":" + (position ? json::quoted(*position) : "null") + "}";
    }
};

[[noreturn]] void bad_result(const std::string &function, const std::string &why) {
    pg::fail(ERRCODE_INVALID_FUNCTION_DEFINITION, "connect function " + function + ": " + why, {},
             "It returns {\"rooms\":[\"…\"],\"data\":{…}} or null.");
}

void unite(Welcome &welcome, const std::string &function, std::string_view result) {
    if (json::kind(result) == json::Kind::kNull) return;
    const auto members = json::members(result);
    if (!members) bad_result(function, "the result is no JSON object");
    for (const json::Member &member : *members) {
        if (json::kind(member.value) == json::Kind::kNull) continue;
        if (member.key == "rooms") {
            const auto elements = json::elements(member.value);
            if (!elements) bad_result(function, "rooms is no JSON array");
            for (const std::string_view element : *elements) {
                auto room = json::unescape(element);
                if (!room) bad_result(function, "a room is no string");
                if (const auto problem = names::check_room(*room)) bad_result(function, problem->message);
                welcome.join(std::move(*room));
            }
        } else if (member.key == "data") {
            const auto data = json::members(member.value);
            if (!data) bad_result(function, "data is no JSON object");
            for (const json::Member &entry : *data) welcome.set(entry.key, entry.value);
        } else {
            bad_result(function, "unknown key \"" + member.key + "\"");
        }
    }
}

}  // namespace

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_handle_connect) {
    static pg::Plan functions("SELECT DISTINCT n.connect FROM _pulse.namespaces n WHERE n.name = $1 AND (n.extension IS NULL "
                              "OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = n.extension)) ORDER BY n.connect");
    const Oid owner = pg::function_owner(fcinfo);
    const std::string name = handle::text_argument(fcinfo, 0, "namespace");
    auth::Context context = handle::context_argument(fcinfo, 1);
    context.namespace_name = name;
    const MemoryContext memory = CurrentMemoryContext;

    std::optional<std::string> position;
    std::vector<std::string> names;
    std::vector<std::unique_ptr<rooms::Callable>> callables;
    {
        pg::OwnerScope scope(owner);
        {
            pg::SpiSession spi;
            functions.for_each(
                {pg::param_text(name)}, [&](const pg::Row &row) { names.emplace_back(row.text(1)); }, true);
            if (names.empty() && name != "/") pg::fail(handle::kNotFound, "Invalid namespace");
            position = handle::cursor();
        }
        for (const std::string &function : names)
            callables.push_back(std::make_unique<rooms::Callable>(function, rooms::kConnectShape, memory));
    }
    handle::Welcome welcome;
    if (context.user_id) {
        std::string room = "user:";
        names::append_room_value(room, *context.user_id);
        if (names::check_room(room)) pg::fail(handle::kBadRequest, "the user id is too long");
        welcome.join(std::move(room));
    }
    handle::NoEffects no_effects;
    auth::Scope scope(context);
    for (std::size_t n = 0; n < names.size(); ++n) {
        const auto result = handle::run_as_client(rooms::client_role(), "connect function " + names[n],
                                                  [&] { return (*callables[n])({pg::text_datum(context.claims)}); });
        if (result) handle::unite(welcome, names[n], pg::view(*result));
    }
    return pg::text_datum(welcome.json(position));
}
