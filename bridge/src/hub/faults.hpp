// Where tests/torture plants faults in the hub, to see that it finds them. Only its own program (pulse-bridge-faults, -DPULSE_FAULTS) has
// them; in every other these are empty and gone.
#pragma once

#include "hub/encoder.hpp"

namespace bridge::hub {
class Hub;
}

namespace bridge::hub::faults {

#ifdef PULSE_FAULTS
bool deliver(Hub &hub, const Event &event);  // true: the event has been dealt with
bool leave_out();                            // of a recovery, this event
#else
constexpr bool deliver(Hub &, const Event &) { return false; }
constexpr bool leave_out() { return false; }
#endif

}  // namespace bridge::hub::faults
