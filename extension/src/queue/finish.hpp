// The end of attempts. Nobody else ends or repeats one: workers, ack, nack, and the foreman for what a dead worker left. Call as the
// owner or in a worker, inside a transaction and an SPI session. May throw pg::Error.
#pragma once

#include "pg/shmem.hpp"
#include "pg/spi.hpp"
#include "queue/attempt.hpp"

#include <span>

namespace pulse::queue {

struct Ended {
    const Attempt *attempt;
    Outcome outcome;
    TimestampTz started_at, finished_at;
};

// Moves finished jobs to the history, failed ones back to wait or to the dead letters; writes their errors, enqueues their on_end jobs,
// publishes the changes of queues that want it, and tells the foreman of what waits again. An attempt that is not executing any more is
// left alone. Returns the ids of the others.
std::vector<int64> finish(std::span<const Ended> ended);

// A worker's attempts whose ends are committed: counted in the database's entry, failures in the server's log. Outside a transaction, too.
void report(pg::DatabaseEntry *entry, std::span<const Ended> ended);

// Jobs that wait (any state but executing) move to the history as cancelled, with on_end and events like an attempt that ends; `why` is
// their last error. Returns which did; those that run meanwhile are left alone.
std::vector<int64> cancel_waiting(const std::vector<int64> &ids, std::string_view why);

}  // namespace pulse::queue
