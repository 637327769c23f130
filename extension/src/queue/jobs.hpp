// The worker's side of _pulse.jobs: claim, and what a dead worker left behind. Each runs inside a transaction and an SPI session of the
// caller. May throw pg::Error. States are drawn in README.md.
#pragma once

#include "pg/spi.hpp"
#include "queue/attempt.hpp"

namespace pulse::queue {

// Takes the next due job in the order of priority, run_at and id: it is 'executing' and its attempt is counted.
std::optional<Attempt> claim();
// Jobs that an earlier worker was running when it ended: that attempt failed.
void rescue();
// Milliseconds until the next waiting job is due; nullopt when none waits.
std::optional<std::int64_t> next_due();

}  // namespace pulse::queue
