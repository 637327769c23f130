// A job worker's signals. SIGTERM lets it end the transaction it is in: the job whose code runs is interrupted and given back, those
// before it are kept. Who is not through within about a second ends at once. SIGUSR2 interrupts the job that the foreman names as
// cancelled, SIGINT (pg_cancel_backend) whichever runs.
#pragma once

#include "queue/shared.hpp"

namespace pulse::queue {

void begin_interrupts(Slot *slot);  // once a worker, after its other signals
bool stopping();                    // to be asked between transactions
// The code of a job sent SIGTERM itself: that is its failure. Given back, it would end one worker after the other for ever.
bool stopped_by_job();
constexpr const char *kEndedItsWorker = "57P01: its function ended the worker";

// A transaction is under way: SIGTERM gives it a second.
class Busy {
public:
    Busy();
    ~Busy();
    Busy(const Busy &) = delete;
    Busy &operator=(const Busy &) = delete;
};

// The code of a job runs: it may be interrupted.
class Interruptible {
public:
    explicit Interruptible(int64 id);
    ~Interruptible();
    Interruptible(const Interruptible &) = delete;
    Interruptible &operator=(const Interruptible &) = delete;
};

}  // namespace pulse::queue
