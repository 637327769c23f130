// _pulse.floor and _pulse.check_floor: the floor of retention for readers in SQL.
#include "log/find.hpp"
#include "pg/log_state.hpp"

using namespace pulse;

PULSE_FN(pulse_floor) { return Int64GetDatum(pg::log_floor()); }

PULSE_FN(pulse_check_floor) {
    log::check_floor(DatumGetInt64(pg::arg(fcinfo, 0)));
    return Datum(0);
}
