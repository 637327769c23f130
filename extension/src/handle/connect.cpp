// pulse.handle_connect: may a client connect to a namespace, and which rooms does it get at once. All connect functions
// of the namespace are asked; their rooms are united; one that raises refuses. The session is stored for its return, and a
// client that returns goes on with the stored one or begins a new one. What connect functions send goes to new sessions only.
#include "handle/leases.hpp"
#include "handle/recovery.hpp"
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
    std::string effects;                                    // a JSON array; empty: none
    std::map<std::string, std::optional<Lease>> tracked;    // by room

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
    std::string data_json() const {
        std::string text = "{";
        for (const auto &[key, value] : data) {
            if (text.size() > 1) text += ',';
            text += json::quoted(key) + ":" + value;
        }
        return text += '}';
    }
    std::optional<std::string> stored_data() const { return data.empty() ? std::nullopt : std::optional(data_json()); }
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

// What the bridge says of a client at the door.
struct Arrival {
    auth::Context context;
    std::optional<std::string> bridge, pid;  // without a bridge the session is not stored; without a pid it cannot be continued
    std::optional<std::string_view> recover;
    int64 arrived_at = 0;  // ms since 1970
};

Arrival arrival_of(FunctionCallInfo fcinfo, const std::string &name) {
    Arrival arrival;
    arrival.context = context_argument(fcinfo, 1);
    arrival.context.namespace_name = name;
    const auto members = json::members(pg::view(pg::arg(fcinfo, 1)));
    const auto text = [&](const char *key) -> std::optional<std::string> {
        const auto value = json::find(*members, key);
        if (!value || json::kind(*value) == json::Kind::kNull) return std::nullopt;
        auto result = json::unescape(*value);
        if (!result || result->empty()) pg::fail(kBadRequest, std::string("context.") + key + " is no string");
        return result;
    };
    arrival.bridge = text("bridge");
    arrival.pid = text("pid");
    arrival.arrived_at = integer(json::find(*members, "arrivedAt")).value_or(0);
    if (arrival.bridge && !arrival.context.session_id) pg::fail(kBadRequest, "context.sessionId is missing");
    if (const auto recover = json::find(*members, "recover"); recover && json::kind(*recover) != json::Kind::kNull && arrival.bridge)
        arrival.recover = *recover;
    return arrival;
}

// The connect functions of a namespace, ready to be called.
class Door {
public:
    Door(Oid owner, const std::string &name, const auth::Context &context);
    Welcome greet(const auth::Context &context);
    const std::optional<Cursor> &position() const { return position_; }

private:
    std::optional<Cursor> position_;
    std::vector<std::string> names_;
    std::vector<std::unique_ptr<rooms::Callable>> callables_;
};

Door::Door(Oid owner, const std::string &name, const auth::Context &context) {
    static pg::Plan functions("SELECT DISTINCT n.connect FROM _pulse.namespaces n WHERE n.name = $1 AND (n.extension IS NULL "
                              "OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = n.extension)) ORDER BY n.connect");
    const MemoryContext memory = CurrentMemoryContext;
    {
        const LogScope scope(owner);
        functions.for_each(
            {pg::param_text(name)}, [&](const pg::Row &row) { names_.emplace_back(row.text(1)); }, true);
        if (names_.empty() && name != "/") pg::fail(kNotFound, "Invalid namespace");
        position_ = cursor();
        if (is_revoked(context)) pg::fail(kUnauthenticated, "the token is revoked");
    }
    const pg::OwnerScope scope(owner);
    for (const std::string &function : names_)
        callables_.push_back(std::make_unique<rooms::Callable>(function, rooms::kConnectShape, memory));
}

Welcome Door::greet(const auth::Context &context) {
    Welcome welcome;
    if (context.user_id) {
        std::string room = "user:";
        names::append_room_value(room, *context.user_id);
        if (names::check_room(room)) pg::fail(kBadRequest, "the user id is too long");
        welcome.join(std::move(room));
    }
    const Effects effects(Effects::Of::kConnect);
    const auth::Scope scope(context);
    for (std::size_t n = 0; n < names_.size(); ++n) {
        const auto result = run_as_client(rooms::client_role(), "connect function " + names_[n],
                                          [&] { return (*callables_[n])({pg::text_datum(context.claims)}); });
        if (result) unite(welcome, names_[n], pg::view(*result));
    }
    if (!effects.empty()) welcome.effects = effects.json();
    welcome.tracked = effects.presence();
    return welcome;
}

std::string answer(const Welcome &welcome, const std::optional<Cursor> &position, const Recovery *recovery,
                   const std::optional<std::string> &leases = std::nullopt) {
    const bool recovered = recovery != nullptr && !recovery->refused();
    std::string text = "{\"rooms\":[";
    const char *separator = "";
    const auto add = [&](std::string element) {
        text += separator + std::move(element);
        separator = ",";
    };
    if (recovered)
        for (const Membership &member : recovery->rooms())
            add("{\"room\":" + json::quoted(member.room) + ",\"since\":" + std::to_string(member.joined_at) + "}");
    else
        for (const std::string &room : welcome.rooms) add(json::quoted(room));
    text += "],\"data\":" + welcome.data_json() + ",\"position\":" + (position ? json::quoted(position->text()) : "null");
    text += recovered ? ",\"recovered\":true,\"session\":" + recovery->session_json() : ",\"recovered\":false";
    if (recovery != nullptr && recovery->refused()) text += ",\"mustRefetch\":" + json::quoted(*recovery->refused());
    if (leases) text += ",\"leases\":" + *leases;
    if (!recovered && !welcome.effects.empty()) text += ",\"effects\":" + welcome.effects;
    return text + "}";
}

// Greets the client under the key of its stored session and takes that over. nullopt when it must begin a new one: then nothing
// that the connect functions did under the stored key has happened.
std::optional<Welcome> continue_stored(Oid owner, Door &door, const Arrival &arrival, Recovery &recovery) {
    auth::Context context = arrival.context;
    context.session_id = recovery.key();
    context.socket_id = recovery.socket_id();
    Welcome welcome;
    const auto error = pg::subtransaction([&] {
        welcome = door.greet(context);
        // As with rooms: what it had stays, and what is given anew counts.
        Welcome kept;
        const std::string stored = recovery.data().value_or("{}");
        for (const json::Member &entry : json::members(stored).value_or(std::vector<json::Member>{})) kept.set(entry.key, entry.value);
        for (const auto &[key, value] : welcome.data) kept.set(key, value);
        welcome.data = std::move(kept.data);
        if (context.user_id) {  // before the session's row: whoever wants both takes them in this order
            const LogScope scope(owner);
            lock_presence(*context.user_id);
        }
        if (!recovery.take_over(owner, context, *arrival.bridge, welcome.rooms, door.position(), welcome.stored_data()))
            pg::fail(ERRCODE_TRIGGERED_ACTION_EXCEPTION, "not recovered");
    });
    if (!error) return welcome;
    if (!recovery.refused()) throw pg::Error(*error);
    return std::nullopt;
}

// Where the recovered session is present: what it was tracked for goes on, and what its connect functions tracked is added.
std::optional<std::string> leases_of(Oid owner, const Arrival &arrival, const Welcome &welcome, const Recovery &recovery) {
    if (!arrival.context.user_id) return std::nullopt;
    const LogScope scope(owner);
    auto leases = resume_leases(recovery.key(), *arrival.context.user_id, *arrival.bridge);
    if (welcome.tracked.empty()) return leases;
    auth::Context context = arrival.context;
    context.session_id = recovery.key();
    store_leases_of_connect(context, *arrival.bridge, welcome.tracked, false);
    return resume_leases(recovery.key(), *arrival.context.user_id, *arrival.bridge);
}

constexpr int kTries = 4;  // while the old connection joins and leaves rooms, or others take the session over

}  // namespace

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_handle_connect) {
    const Oid owner = pg::function_owner(fcinfo);
    const std::string name = handle::text_argument(fcinfo, 0, "namespace");
    const handle::Arrival arrival = handle::arrival_of(fcinfo, name);
    handle::Door door(owner, name, arrival.context);

    std::optional<handle::Recovery> recovery;
    for (int tries = handle::kTries; arrival.recover && tries > 0 && (!recovery || recovery->changed()); --tries) {
        recovery = handle::Recovery::begin(owner, *arrival.recover, arrival.context, arrival.arrived_at, door.position());
        if (recovery->refused()) break;
        if (const auto welcome = handle::continue_stored(owner, door, arrival, *recovery))
            return pg::text_datum(
                handle::answer(*welcome, door.position(), &*recovery, handle::leases_of(owner, arrival, *welcome, *recovery)));
    }
    const handle::Welcome welcome = door.greet(arrival.context);
    if (arrival.bridge) {
        handle::commit_without_waiting();
        const handle::LogScope scope(owner);
        handle::NewSession{.key = *arrival.context.session_id,
                           .socket_id = arrival.context.socket_id.value_or(""),
                           .bridge = *arrival.bridge,
                           .name = name,
                           .pid = arrival.pid,
                           .user_id = arrival.context.user_id,
                           .jti = handle::text_claim(arrival.context, "jti"),
                           .rooms = welcome.rooms,
                           .cursor = door.position(),
                           .arrived_at = arrival.arrived_at,
                           .data = welcome.stored_data()}
            .store();
        handle::store_leases_of_connect(arrival.context, *arrival.bridge, welcome.tracked, true);
    }
    return pg::text_datum(handle::answer(welcome, door.position(), recovery ? &*recovery : nullptr));
}
