// pulse.presence, pulse.presence_count, pulse.last_seen: reading. They show what has been announced: a user is there from
// presence:join to presence:leave, also while a crash has emptied the leases.
#include "handle/evictions.hpp"
#include "handle/read_right.hpp"
#include "names/rules.hpp"

namespace pulse::handle {

static std::string readable_room(FunctionCallInfo fcinfo) {
    std::string room = text_argument(fcinfo, 0, "room");
    if (const auto problem = names::check_room(room)) pg::fail(kBadRequest, problem->message, {}, problem->hint);
    if (may_read_rooms() || policy_allows(pg::function_owner(fcinfo), "presence", room)) return room;
    pg::fail(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for the presence of rooms", {},
             "Outside of a handler it takes the role pulse_publisher or pulse_admin.");
}

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_presence) {
    static pg::Plan plan(
        "SELECT p.user_id, n.state, COALESCE(c.sessions, 0)::pg_catalog.int4, p.since, "
        "COALESCE(c.seen, (SELECT s.at FROM _pulse.last_seen s WHERE s.user_id = p.user_id)) "
        "FROM _pulse.presences p "
        "LEFT JOIN LATERAL (SELECT pg_catalog.count(*) FILTER (WHERE l.gone_at IS NULL) AS sessions, "
        "pg_catalog.max(CASE WHEN l.gone_at IS NULL THEN COALESCE(b.seen_at, pg_catalog.clock_timestamp()) ELSE l.gone_at END) AS seen "
        "FROM _pulse.leases l LEFT JOIN _pulse.bridges b ON b.id = l.bridge "
        "WHERE l.user_id = p.user_id AND l.room = p.room AND NOT l.lapsed) c ON true "
        "LEFT JOIN LATERAL (SELECT l.state FROM _pulse.leases l WHERE l.user_id = p.user_id AND l.room = p.room AND NOT l.lapsed "
        "ORDER BY l.tracked_at DESC, l.session DESC LIMIT 1) n ON true "
        "WHERE p.room = $1 ORDER BY p.user_id");
    const std::string room = handle::readable_room(fcinfo);
    pg::call([&] { InitMaterializedSRF(fcinfo, 0); });
    auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    const handle::LogScope scope(pg::function_owner(fcinfo));
    plan.for_each(
        {pg::param_text(room)}, [&](const pg::Row &row) { pg::put_row(result, row); }, true);
    return Datum(0);
}

PULSE_FN(pulse_presence_count) {
    static pg::Plan plan("SELECT pg_catalog.count(*) FROM _pulse.presences p WHERE p.room = $1");
    const std::string room = handle::readable_room(fcinfo);
    const handle::LogScope scope(pg::function_owner(fcinfo));
    plan.run({pg::param_text(room)}, true);
    return Int64GetDatum(pg::result_row().int8(1));
}

PULSE_FN(pulse_last_seen) {
    static pg::Plan plan("SELECT GREATEST((SELECT s.at FROM _pulse.last_seen s WHERE s.user_id = $1), "
                         "(SELECT pg_catalog.max(COALESCE(s.ended, b.seen_at, pg_catalog.clock_timestamp())) FROM _pulse.session_states s "
                         "LEFT JOIN _pulse.bridges b ON b.id = s.bridge WHERE s.user_id = $1), "
                         "(SELECT pg_catalog.max(COALESCE(l.gone_at, b.seen_at, pg_catalog.clock_timestamp())) FROM _pulse.leases l "
                         "LEFT JOIN _pulse.bridges b ON b.id = l.bridge WHERE l.user_id = $1))");
    const std::string user_id = handle::text_argument(fcinfo, 0, "user_id");
    if (!handle::may_read_rooms() && auth::current() == nullptr)
        pg::fail(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for last_seen", {},
                 "Outside of a handler it takes the role pulse_publisher or pulse_admin.");
    const handle::LogScope scope(pg::function_owner(fcinfo));
    plan.run({pg::param_text(user_id)}, true);
    const pg::Row row = pg::result_row();
    return row.is_null(1) ? pg::null_result(fcinfo) : row.datum(1);
}
