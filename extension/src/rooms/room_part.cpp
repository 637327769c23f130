// pulse.room_part: a value as a part of a room's name, encoded as templates of pulse.watch encode it.
#include "names/room_value.hpp"
#include "pg/guard.hpp"
#include "pg/text.hpp"

using namespace pulse;

PULSE_FN(pulse_room_part) {
    std::string part;
    names::append_room_value(part, pg::view(pg::arg(fcinfo, 0)));
    return pg::text_datum(part);
}
