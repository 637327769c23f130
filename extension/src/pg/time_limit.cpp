// One timer a process.
#include "pg/time_limit.hpp"

#include <csignal>

namespace pulse::pg {

static TimeoutId timeout_id = MAX_TIMEOUTS;  // not registered yet
static int limits = 0;                       // nested
static int cancels_before_the_end = 0;
static volatile sig_atomic_t cancels = 0;

static void on_timeout() {
    cancels = cancels + 1;
    if (cancels_before_the_end > 0 && cancels > cancels_before_the_end) ProcDiePending = true;
    InterruptPending = true;
    QueryCancelPending = true;
    SetLatch(MyLatch);
}

// Code that has caught the cancel is cancelled again, outside of what caught it: a loop round an EXCEPTION clause would go on for ever.
static void on_subtransaction(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
    callback("a time limit", [=] {
        if (event != SUBXACT_EVENT_ABORT_SUB || limits == 0 || cancels == 0) return;
        InterruptPending = true;
        QueryCancelPending = true;
    });
}

TimeLimit::TimeLimit(long ms, long again_ms, int most_cancels) : armed_(limits == 0 && ms > 0) {
    if (limits == 0) cancels = 0;
    if (armed_)
        call([=] {
            if (timeout_id == MAX_TIMEOUTS) {
                timeout_id = RegisterTimeout(USER_TIMEOUT, on_timeout);
                RegisterSubXactCallback(on_subtransaction, nullptr);
            }
            cancels_before_the_end = most_cancels;
            enable_timeout_every(timeout_id, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms), static_cast<int>(again_ms));
        });
    ++limits;
}

TimeLimit::~TimeLimit() {
    --limits;
    if (!armed_) return;
    disable_timeout(timeout_id, false);
    if (fired()) QueryCancelPending = false;  // once more, or just after the last check: it is not the next statement's
}

bool TimeLimit::fired() { return cancels > 0; }

void TimeLimit::check() const {
    call([] { CHECK_FOR_INTERRUPTS(); });
    if (over()) fail(ERRCODE_QUERY_CANCELED, "caught");  // user code caught the cancel
}

}  // namespace pulse::pg
