// pulse.bridge_history: what a bridge reads for the sessions that come back to it.
#include "log/find.hpp"

using namespace pulse;

PULSE_FN(pulse_bridge_history) {
    static pg::Plan plan("SELECT r.position, e.id, array_to_json(e.rooms), to_json(e.name), e.headers, e.payload, e.attachments "
                         "FROM unnest($1::bigint[], $2::xid8[], $3::bigint[]) AS r (position, xid, id) "
                         "JOIN pulse.events e ON e.xid = r.xid AND e.id = r.id ORDER BY r.position");
    for (int n = 0; n < 4; ++n)
        if (pg::arg_is_null(fcinfo, n)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "an argument of pulse.bridge_history is null");
    std::vector<std::string_view> rooms;
    for (const auto &room : pg::text_array(pg::arg(fcinfo, 0)))
        if (room) rooms.push_back(*room);
    const int64 after = DatumGetInt64(pg::arg(fcinfo, 1)), up_to = DatumGetInt64(pg::arg(fcinfo, 2));
    const int32 max_events = DatumGetInt32(pg::arg(fcinfo, 3));

    pg::call([&] { InitMaterializedSRF(fcinfo, 0); });
    auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    log::check_floor(after);
    {
        const pg::SpiSession spi;
        const auto put = [&](const pg::Row &row) { pg::put_row(result, row); };
        log::read_page(rooms, after, up_to, max_events, [&](const log::FoundParams &params) {
            return plan.for_each({params[0], params[1], params[2]}, put, true);
        });
    }
    log::check_floor(after);
    return Datum(0);
}
