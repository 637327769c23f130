// pulse.evict and pulse.revoke: ordinary publishes into a room that nobody else may publish to.
#include "handle/evictions.hpp"
#include "names/rules.hpp"

namespace pulse::handle {

static std::optional<std::string> name_argument(FunctionCallInfo fcinfo, int n, const char *name) {
    auto value = pg::optional_text(fcinfo, n);
    if (value)
        if (const auto problem = names::check_name(name, *value))
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
    return value;
}

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_evict) {
    const std::string room = handle::room_argument(fcinfo, 0);
    const auto user_id = handle::name_argument(fcinfo, 1, "user_id");
    return Int64GetDatum(handle::publish_eviction(room, user_id, handle::name_argument(fcinfo, 2, "reason")));
}

PULSE_FN(pulse_revoke) {
    handle::Revocation revocation;
    revocation.user_id = handle::name_argument(fcinfo, 0, "user_id");
    revocation.jti = handle::name_argument(fcinfo, 1, "jti");
    if (!revocation.user_id && !revocation.jti)
        pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "neither user_id nor jti is given", {}, "Name the user, or the token by its jti.");
    if (!pg::arg_is_null(fcinfo, 2)) {
        revocation.expires_at = pg::arg(fcinfo, 2);
        const TimestampTz until = DatumGetTimestampTz(*revocation.expires_at);
        if (TIMESTAMP_NOT_FINITE(until) || until <= GetCurrentTimestamp())
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "expires_at is not in the future", {},
                     "It is when the last token that was issued so far ends by itself.");
    }
    revocation.reason = handle::name_argument(fcinfo, 3, "reason");
    handle::LogScope scope(pg::function_owner(fcinfo));
    return Int64GetDatum(handle::revoke(revocation));
}
