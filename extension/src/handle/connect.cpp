// pulse.handle_connect: may a client connect to a namespace, and which rooms does it get at once. All connect functions
// of the namespace are asked; their rooms are united; one that raises refuses. The session is stored for its return, and a
// client that returns goes on with the stored one or begins a new one. What connect functions send goes to new sessions only.
#include "handle/door.hpp"
#include "handle/recovery.hpp"
#include "json/slice.hpp"

namespace pulse::handle {

namespace {

// What the bridge says of a client at the door.
struct Arrival {
    auth::Context context;
    std::optional<std::string> bridge, pid, device;  // without a bridge the session is not stored; without a pid it cannot be continued
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
    arrival.device = text("device");
    arrival.arrived_at = integer(json::find(*members, "arrivedAt")).value_or(0);
    if (arrival.bridge && !arrival.context.session_id) pg::fail(kBadRequest, "context.sessionId is missing");
    if (const auto recover = json::find(*members, "recover"); recover && json::kind(*recover) != json::Kind::kNull && arrival.bridge)
        arrival.recover = *recover;
    return arrival;
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
        welcome.keep(recovery.data());
        const auto refuse = [] { pg::fail(ERRCODE_TRIGGERED_ACTION_EXCEPTION, "not recovered"); };
        if (!recovery.still_allowed(owner, context, welcome.rooms)) refuse();
        if (context.user_id) {  // before the session's row: whoever wants both takes them in this order
            const LogScope scope(owner);
            lock_presence(*context.user_id);
        }
        if (!recovery.take_over(owner, context, *arrival.bridge, welcome.rooms, door.position(), welcome.stored_data(), arrival.device))
            refuse();
    });
    if (!error) return welcome;
    if (!recovery.refused()) throw pg::Error(*error);
    return std::nullopt;
}

// Where the recovered session is present: what it was tracked for goes on, and what its connect functions tracked is added.
std::optional<std::string> leases_of(Oid owner, const Arrival &arrival, const Welcome &welcome, const Recovery &recovery) {
    if (!arrival.context.user_id) return std::nullopt;
    const LogScope scope(owner);
    leave_leases(recovery.key(), recovery.dropped());
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
                           .data = welcome.stored_data(),
                           .device = arrival.device}
            .store();
        handle::store_leases_of_connect(arrival.context, *arrival.bridge, welcome.tracked, true);
    }
    return pg::text_datum(handle::answer(welcome, door.position(), recovery ? &*recovery : nullptr));
}
