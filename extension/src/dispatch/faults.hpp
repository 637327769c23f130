// Where tests/torture plants faults in the dispatcher, to see that it finds them. Only its own build (tests/torture/faults, -DPULSE_FAULTS)
// has them; in every other these are empty and gone.
#pragma once

#include "dispatch/reader.hpp"

namespace pulse::dispatch::faults {

#ifdef PULSE_FAULTS
void define();                            // the setting pulse.fault
void spoil(std::vector<EventRow> &rows);  // what a tick has found
std::int64_t skipped();                   // positions that this tick leaves out
#else
inline void define() {}
inline void spoil(std::vector<EventRow> &) {}
inline std::int64_t skipped() { return 0; }
#endif

}  // namespace pulse::dispatch::faults
