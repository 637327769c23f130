// Retention: old rows leave by TRUNCATE of a whole slot, never row by row. One step either empties the slot after the current one,
// when all of it is old enough and nobody needs it, or makes that slot, empty by then, the current one. README.md draws it.
// Runs under the dispatch lock in a transaction of its own; publishers never wait for it, and it never waits for them.
#pragma once

#include <string>

namespace pulse::dispatch {

struct Rotation {
    bool done = false;  // a step was made; there may be another one
    std::string what;   // the step, or why there was none
    bool held = false;  // there was none because somebody holds an old slot
};

// forced: ignores how old things are, and nothing else. May throw pg::Error.
Rotation rotate(bool forced);
// After a failed rotate() in a subtransaction that was rolled back.
void forget_rotation();

void init_retention();  // once a process, from _PG_init

}  // namespace pulse::dispatch
