// What handlers ask of the bridge: pulse.join, leave, reply, disconnect; and pulse.fail.
#include "handle/decide.hpp"
#include "json/slice.hpp"
#include "names/rules.hpp"

namespace pulse::handle {

static Effects &effects_for(const char *function) {
    if (Effects::current() == nullptr)
        pg::fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, std::string(function) + " works only in a handler", {},
                 "Handlers are registered with pulse.on and run by the bridge.");
    return *Effects::current();
}

static std::string room_argument(FunctionCallInfo fcinfo) {
    if (pg::arg_is_null(fcinfo, 0)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "room is null");
    std::string room = pg::to_string(pg::arg(fcinfo, 0));
    if (const auto problem = names::check_room(room)) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
    return room;
}

struct Code {
    const char *name;
    int sqlstate;
};
static constexpr Code kCodes[] = {
    {"bad_request", MAKE_SQLSTATE('P', 'L', '4', '0', '0')}, {"unauthenticated", MAKE_SQLSTATE('P', 'L', '4', '0', '1')},
    {"forbidden", MAKE_SQLSTATE('P', 'L', '4', '0', '3')},   {"not_found", MAKE_SQLSTATE('P', 'L', '4', '0', '4')},
    {"conflict", MAKE_SQLSTATE('P', 'L', '4', '0', '9')},    {"payload_too_large", MAKE_SQLSTATE('P', 'L', '4', '1', '3')},
    {"invalid", MAKE_SQLSTATE('P', 'L', '4', '2', '2')},     {"rate_limited", MAKE_SQLSTATE('P', 'L', '4', '2', '9')},
    {"unavailable", MAKE_SQLSTATE('P', 'L', '5', '0', '3')},
};

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_join) {
    handle::Effects &effects = handle::effects_for("pulse.join");
    std::vector<handle::Request> requests(1);
    requests[0].operation = "join";
    requests[0].room = handle::room_argument(fcinfo);
    requests[0].context = auth::current();
    handle::decide_all(pg::function_owner(fcinfo), requests);
    if (!requests[0].allowed) pg::fail(handle::kForbidden, requests[0].reason);
    effects.join(requests[0].room);
    return Datum(0);
}

PULSE_FN(pulse_leave) {
    handle::Effects &effects = handle::effects_for("pulse.leave");
    effects.leave(handle::room_argument(fcinfo));
    return Datum(0);
}

PULSE_FN(pulse_reply) {
    handle::Effects &effects = handle::effects_for("pulse.reply");
    if (pg::arg_is_null(fcinfo, 0)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "event is null");
    const std::string event = pg::to_string(pg::arg(fcinfo, 0));
    if (const auto problem = names::check_event_name(event)) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
    const std::string payload = pg::arg_is_null(fcinfo, 1) ? "null" : json::compact(pg::view(pg::arg(fcinfo, 1)));
    effects.add("{\"reply\":[" + json::quoted(event) + "," + payload + "]}");
    return Datum(0);
}

PULSE_FN(pulse_disconnect) {
    handle::Effects &effects = handle::effects_for("pulse.disconnect");
    effects.add("{\"disconnect\":" + (pg::arg_is_null(fcinfo, 0) ? "\"\"" : json::quoted(pg::view(pg::arg(fcinfo, 0)))) + "}");
    return Datum(0);
}

PULSE_FN(pulse_fail) {
    const auto code = pg::optional_text(fcinfo, 0), message = pg::optional_text(fcinfo, 1), hint = pg::optional_text(fcinfo, 2);
    std::string known;
    for (const auto &entry : handle::kCodes) {
        if (code == entry.name) pg::fail(entry.sqlstate, message.value_or(*code), {}, hint.value_or(""));
        known += (known.empty() ? "" : ", ") + std::string(entry.name);
    }
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, code ? "unknown error code \"" + *code + "\"" : "the error code is null", {},
             "Known codes: " + known + ".");
}
