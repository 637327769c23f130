// pulse.history: the events of a room after a cursor, page by page. In a client's call the room's history policy decides, elsewhere
// the role.
#include "handle/read_right.hpp"
#include "json/slice.hpp"
#include "log/find.hpp"
#include "names/rules.hpp"
#include "pg/log_state.hpp"

using namespace pulse;

namespace pulse::handle {

constexpr int32 kMostEvents = 10000;

static void check_right(Oid owner, const std::string &room) {
    if (policy_allows(owner, "history", room) || may_read_rooms()) return;
    pg::fail(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for the history of rooms", {},
             "Outside of a handler it takes the role pulse_publisher or pulse_admin.");
}

// The position to go on after. Without a cursor everything that is still there comes.
static int64 start_of(const std::optional<std::string> &cursor) {
    static pg::Plan plan("SELECT c.position, c.reason FROM _pulse.check_cursor($1) c");
    if (!cursor) return pg::log_floor() - 1;
    plan.run({pg::param_text(cursor)}, true);
    if (const auto reason = pg::result_row().optional_text(2)) log::must_refetch(*reason);
    return pg::result_row().int8(1);
}

static void read(ReturnSetInfo *result, std::string_view room, int64 after, int32 max_events) {
    static pg::Plan epoch("SELECT e.epoch || ':' FROM _pulse.epochs e ORDER BY e.number DESC LIMIT 1");
    static pg::Plan plan("SELECT $4 || r.position, e.id, e.name, e.payload, e.headers, e.attachments, e.at "
                         "FROM unnest($1::bigint[], $2::xid8[], $3::bigint[]) AS r (position, xid, id) "
                         "JOIN pulse.events e ON e.xid = r.xid AND e.id = r.id ORDER BY r.position");
    if (epoch.run({}, true) == 0) return;  // nothing was dispatched yet
    const auto prefix = std::string(pg::result_row().text(1));
    const auto put = [&](const pg::Row &row) { pg::put_row(result, row); };
    log::read_page({room}, after, PG_INT64_MAX, max_events, [&](const log::FoundParams &params) {
        return plan.for_each({params[0], params[1], params[2], pg::param_text(prefix)}, put, true);
    });
}

}  // namespace pulse::handle

PULSE_FN(pulse_history) {
    const Oid owner = pg::function_owner(fcinfo);
    const std::string room = handle::text_argument(fcinfo, 0, "room");
    if (const auto problem = names::check_room(room)) pg::fail(handle::kBadRequest, problem->message, {}, problem->hint);
    const auto cursor = pg::optional_text(fcinfo, 1);
    const int32 max_events = pg::arg_is_null(fcinfo, 2) ? 0 : DatumGetInt32(pg::arg(fcinfo, 2));
    if (max_events < 1 || max_events > handle::kMostEvents)
        pg::fail(handle::kBadRequest, "max_events must be between 1 and " + std::to_string(handle::kMostEvents));
    if (RecoveryInProgress())
        pg::fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "history cannot be read on a standby", {}, "Read it on the primary server.");
    handle::check_right(owner, room);

    pg::call([&] { InitMaterializedSRF(fcinfo, 0); });
    auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    for (;;) {
        int64 after;
        {
            const pg::OwnerScope scope(owner);
            const pg::SpiSession spi;
            after = handle::start_of(cursor);
            handle::read(result, room, after, max_events);
        }
        if (cursor) {
            log::check_floor(after);
        } else if (after < pg::log_floor() - 1) {  // a rotation came between: begin where the log begins now
            pg::call([&] { tuplestore_clear(result->setResult); });
            continue;
        }
        return Datum(0);
    }
}
