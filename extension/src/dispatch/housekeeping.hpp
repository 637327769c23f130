// What the dispatcher cleans up beside its ticks: idempotency keys older than the setting pulse/idempotency_keep.
// Looks every ten seconds, deletes in batches, never makes the dispatcher fail.
#pragma once

#include "pg/worker.hpp"

namespace pulse::dispatch {

class Housekeeping {
public:
    // Runs a batch in a transaction of its own when one is due.
    void run_if_due();

private:
    TimestampTz due_ = 0;
};

}  // namespace pulse::dispatch
