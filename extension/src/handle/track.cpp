// pulse.track and pulse.untrack: what a handler or a connect function says about its session's presence. It is stored when that has
// succeeded (leases.cpp).
#include "handle/call.hpp"
#include "json/slice.hpp"
#include "names/rules.hpp"
#include "pg/interval.hpp"

namespace pulse::handle {

constexpr std::size_t kMaxState = 64 * 1024;  // bytes: each bridge keeps the states of its sessions in memory

static std::string presence_room(FunctionCallInfo fcinfo) {
    std::string room = room_argument(fcinfo, 0);
    if (room.starts_with(names::kOwnRooms))
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "rooms that begin with \"" + std::string(names::kOwnRooms) + "\" are the engine's own");
    return room;
}

// In ms.
static std::optional<int64> ttl_argument(FunctionCallInfo fcinfo, int n) {
    constexpr int64 kLongest = int64{3650} * 24 * 3600 * 1000;
    if (pg::arg_is_null(fcinfo, n)) return std::nullopt;
    const auto ms = pg::milliseconds_of(pg::arg(fcinfo, n), kLongest);
    if (!ms)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "ttl is between 1 millisecond and 10 years", {},
                 "Without a ttl presence lasts as long as the session.");
    return ms;
}

static Effects &effects_of_user(const char *function) {
    Effects &effects = messages_for(function);
    const auth::Context *context = auth::current();
    if (context == nullptr || !context->user_id)
        pg::fail(kUnauthenticated, "an anonymous client cannot be present", {}, "Presence is kept by user; a token names one.");
    return effects;
}

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_track) {
    handle::Effects &effects = handle::effects_of_user("pulse.track");
    const std::string room = handle::presence_room(fcinfo);
    handle::Lease lease;
    lease.state = pg::arg_is_null(fcinfo, 1) ? "{}" : json::compact(pg::view(pg::arg(fcinfo, 1)));
    if (lease.state.size() > handle::kMaxState)
        pg::fail(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the state has " + std::to_string(lease.state.size()) + " bytes", {},
                 "It has at most " + std::to_string(handle::kMaxState) + ".");
    lease.ttl = handle::ttl_argument(fcinfo, 2);
    lease.announce = pg::arg_is_null(fcinfo, 3) || DatumGetBool(pg::arg(fcinfo, 3));
    effects.track(room, lease);
    return Datum(0);
}

PULSE_FN(pulse_untrack) {
    handle::Effects &effects = handle::effects_of_user("pulse.untrack");
    effects.untrack(handle::presence_room(fcinfo));
    return Datum(0);
}
