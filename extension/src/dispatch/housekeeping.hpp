// What the dispatcher cleans up beside its ticks: old slots of the log (retention), idempotency keys older than the setting
// pulse/idempotency_keep, and leases that are over. Looks every pulse.housekeeping_interval, each task in a transaction of its own. Never
// makes the dispatcher fail, and never waits for a lock: what somebody else has locked is looked at again the next time.
#pragma once

#include "pg/worker.hpp"

namespace pulse::dispatch {

class Housekeeping {
public:
    // Runs what is due, a part of it at a time. True: there is more, once what was committed meanwhile is dispatched.
    bool run_if_due();

private:
    TimestampTz due_ = 0;
    bool leases_due_ = false;
};

}  // namespace pulse::dispatch
