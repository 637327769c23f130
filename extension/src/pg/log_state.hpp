// Where the log stands that is not in a tick: the slot that new rows go to, and the floor, the lowest position that may still be
// read. Both come from the newest row of _pulse.rotations and are kept in shared memory; dispatch/retention changes them.
// Without shared memory nothing rotates: new rows go to slot 0, and the floor is the table's.
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

struct LogState {
    int slot;
    int64 floor;
};

// The newest row of _pulse.rotations as of now, whatever snapshot the caller reads with. May raise.
LogState read_log_state();

int16 current_slot();
// TRUNCATE is no matter of snapshots: who reads positions from `after` on compares again after the last row.
int64 log_floor();

}  // namespace pulse::pg
