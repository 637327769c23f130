// Finished jobs leave the hot table for the history.
#pragma once

#include "queue/finish.hpp"

namespace pulse::queue {

// The slot of the history that is written at that time: units of its retention, counted round and round.
int16 history_slot(TimestampTz at);

// Completed and cancelled attempts, all at once. Returns the ids of those that were executing still. With pinned plans, inside an SPI
// session of the owner's. May throw pg::Error.
std::vector<int64> to_history(const std::vector<const Ended *> &ended);

}  // namespace pulse::queue
