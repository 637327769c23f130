// The HTTP worker: one process a database, for deliveries by fcm, sms and webhook. Loads attempts and asks kinds' builders for their
// arguments in short transactions; sends with no transaction open, many at once; ends them in batches, whatever has an answer by then.
// Waits for its latch and libcurl's descriptor together. A server that hangs holds its own deliveries only, and neither builders nor a
// standby that is away keep answers from being read.
#include "pg/worker.hpp"

#include "guc.hpp"
#include "pg/leftovers.hpp"
#include "pg/standby.hpp"
#include "queue/configured.hpp"
#include "queue/finish.hpp"
#include "queue/inbox.hpp"
#include "queue/interrupts.hpp"
#include "queue/load.hpp"
#include "queue/run.hpp"

#include <algorithm>
#include <deque>

namespace pulse::queue {

namespace {

constexpr long kBuildWithin = 5000;          // ms, for a builder: the others wait for it
constexpr int64 kBuildingTime = 100 * 1000;  // µs: after so long no other builder is called before answers are read
constexpr long kStandbyPause = 10;           // ms between looks at what the standby has

Http::Hooks descriptors() {
    return {[] { return AcquireExternalFD(); }, [] { ReleaseExternalFD(); }};
}

class HttpWorker {
public:
    HttpWorker(pg::DatabaseEntry *entry, Slot *slot)
        : entry_(entry), slot_(slot), name_("http worker (pid " + std::to_string(MyProcPid) + ")"),
          deliveries_(descriptors(), guc::http_concurrency) {}
    [[noreturn]] void run();

private:
    // Committed here, and not yet by the standby that is asked for.
    struct Unconfirmed {
        XLogRecPtr position;
        std::vector<AttemptId> over;
    };
    void configure() { deliveries_.configure(configured_channels()); }
    void make_wait_set();
    void wait();
    std::vector<AttemptId> to_load() const;
    void take();
    void build_some(std::vector<AttemptId> &begun_now);
    void begin(Attempt attempt);
    void finish_all(std::vector<Delivered> delivered);
    void tell_confirmed();
    [[noreturn]] void leave();
    void report(const std::vector<Delivered> &delivered);
    template <class F>
    void in_transaction(F &&f);

    pg::DatabaseEntry *entry_;
    Slot *slot_;
    std::string name_;
    Deliveries deliveries_;
    std::deque<Attempt> to_build_;  // loaded, and not begun
    std::deque<Unconfirmed> unconfirmed_;
    WaitEventSet *wait_set_ = nullptr;
};

template <class F>
void HttpWorker::in_transaction(F &&f) {
    const Busy busy;
    if (!pg::extension_transaction(std::forward<F>(f))) pg::end_without_extension();
    pg::call([] { SetLatch(MyLatch); });  // a wait for a lock has reset it: what was told meanwhile is heard in one more turn
}

void HttpWorker::make_wait_set() {
    pg::call([&] {
        wait_set_ = CreateWaitEventSet(TopMemoryContext, 3);
        AddWaitEventToSet(wait_set_, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
        AddWaitEventToSet(wait_set_, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
        AddWaitEventToSet(wait_set_, WL_SOCKET_READABLE, deliveries_.descriptor(), nullptr, nullptr);
    });
}

void HttpWorker::wait() {
    std::optional<long> due = to_build_.empty() ? deliveries_.due_in() : 0;
    if (!unconfirmed_.empty()) due = std::min(due.value_or(kStandbyPause), kStandbyPause);
    if (due == 0) return;
    pg::call([&] {
        if (deliveries_.size() == 0) {
            pgstat_report_stat(true);
            pgstat_report_activity(STATE_IDLE, nullptr);
        }
        WaitEvent event;
        WaitEventSetWait(wait_set_, due.value_or(-1), &event, 1, PG_WAIT_EXTENSION);
    });
}

// Through its kind's builder, when it has one, to its delivery; or at once to its end.
void HttpWorker::begin(Attempt attempt) {
    Delivery delivery{.attempt = std::move(attempt), .args = {}, .started_at = GetCurrentTimestamp()};
    const Attempt &job = delivery.attempt;
    if (!job.function) {
        delivery.args = job.args;
        return deliveries_.begin(std::move(delivery));
    }
    const long limit = std::min(job.timeout_ms, kBuildWithin);
    CallResult built;
    {
        const Interruptible interruptible(job.id);
        built = call(job, *job.function, job.args, limit);
    }
    switch (built.what) {
        case CallResult::kDone:
            if (!built.result)
                return deliveries_.end(std::move(delivery),
                                       {.what = Outcome::kCancelled, .error = "its builder says that there is nothing to send"});
            delivery.args = *std::move(built.result);
            return deliveries_.begin(std::move(delivery));
        case CallResult::kFailed: return deliveries_.end(std::move(delivery), retry(built.error));
        case CallResult::kTimedOut:
            return deliveries_.end(std::move(delivery), retry("57014: its builder ran longer than " + std::to_string(limit) + " ms"));
        case CallResult::kInterrupted:
            if (slot_->cancel == job.id) return deliveries_.end(std::move(delivery), {.what = Outcome::kCancelled, .error = "cancelled"});
            return deliveries_.end(std::move(delivery), stopping() ? Outcome{.what = Outcome::kReturned} : retry(built.error));
    }
}

// What waits here and is not loaded yet. The foreman gives no more than may be on their way at once.
std::vector<AttemptId> HttpWorker::to_load() const {
    std::vector<AttemptId> ids = waiting(kHttpInboxSize);
    std::erase_if(ids, [&](const AttemptId &id) {
        return std::any_of(to_build_.begin(), to_build_.end(), [&](const Attempt &job) { return job.key() == id; });
    });
    return ids;
}

// Somebody's code: called for a while, then the others are looked after.
void HttpWorker::build_some(std::vector<AttemptId> &begun_now) {
    if (to_build_.empty()) return;
    const TimestampTz until = GetCurrentTimestamp() + kBuildingTime;
    const UserCode user;
    while (!to_build_.empty() && !stopping() && GetCurrentTimestamp() < until) {
        Attempt attempt = std::move(to_build_.front());
        to_build_.pop_front();
        if (!begun(attempt.key())) continue;  // taken back meanwhile
        begun_now.push_back(attempt.key());
        begin(std::move(attempt));
        slot_->running = 0;
    }
}

void HttpWorker::take() {
    std::vector<AttemptId> ids = to_load();
    if (ids.empty() && to_build_.empty()) return;
    pg::call([&] {
        char activity[64];
        snprintf(activity, sizeof activity, "pulse: %zu deliveries", ids.size() + deliveries_.size());
        pgstat_report_activity(STATE_RUNNING, activity);
    });
    std::vector<AttemptId> begun_now;
    in_transaction([&] {
        {
            const pg::SpiSession spi;
            for (Attempt &attempt : load(ids, name_)) {
                std::erase(ids, attempt.key());
                if (attempt.function) {
                    to_build_.push_back(std::move(attempt));
                } else if (begun(attempt.key())) {
                    begun_now.push_back(attempt.key());
                    begin(std::move(attempt));
                }
            }
            slot_->running = 0;
        }
        build_some(begun_now);
    });
    sent(begun_now);
    if (!ids.empty()) ended(ids);  // what could not be loaded has ended otherwise
    pg::forget_all();
}

void HttpWorker::report(const std::vector<Delivered> &delivered) {
    for (const Delivered &one : delivered) {
        const Attempt &job = one.delivery.attempt;
        const bool failed = one.outcome.what == Outcome::kRetry || one.outcome.what == Outcome::kDiscard;
        pg_atomic_fetch_add_u64(failed ? &entry_->jobs_failed : &entry_->jobs_done, 1);
        if (failed)
            pg::call([&] {
                ereport(LOG, (errmsg("job %lld of queue \"%s\" failed in attempt %d of %d", static_cast<long long>(job.id),
                                     job.queue.c_str(), job.attempt, job.max_attempts),
                              errdetail_internal("%s", one.outcome.error.c_str())));
            });
    }
}

// Not one that was registered again since: somebody has it who did not have it then.
void forget_device(const Delivered &delivered) {
    static pg::Plan forget("DELETE FROM _pulse.devices WHERE token = $1 AND last_used_at < $2");
    if (!fcm::is_dead_token(delivered.outcome)) return;
    if (const auto token = fcm::device_token(delivered.delivery.args))
        forget.run({pg::param_text(*token), {TIMESTAMPTZOID, TimestampTzGetDatum(delivered.delivery.started_at)}});
}

// One transaction for all that have an answer by now; while it commits, others come.
void HttpWorker::finish_all(std::vector<Delivered> delivered) {
    if (delivered.empty()) return;
    std::vector<Ended> ends;
    std::vector<AttemptId> over;
    const TimestampTz now = GetCurrentTimestamp();
    in_transaction([&] {
        const pg::SpiSession spi;
        for (const Delivered &one : delivered) {
            ends.push_back({&one.delivery.attempt, one.outcome, one.delivery.started_at, now});
            over.push_back(one.delivery.attempt.key());
            forget_device(one);
        }
        finish(ends);
    });
    unconfirmed_.push_back({XactLastCommitEnd, std::move(over)});
    tell_confirmed();
    report(delivered);
    pg::call([] { pgstat_report_stat(false); });
}

// The foreman gives their places to others once the standby has their ends, too.
void HttpWorker::tell_confirmed() {
    for (; !unconfirmed_.empty() && pg::standby_has(unconfirmed_.front().position); unconfirmed_.pop_front())
        ended(unconfirmed_.front().over);
}

// What has not been sent waits again. Nobody waits for a standby: what has ended here has ended.
void HttpWorker::leave() {
    deliveries_.stop();
    finish_all(deliveries_.drive());
    for (const Unconfirmed &one : unconfirmed_) ended(one.over);
    {
        const Busy busy;
        give_back(waiting(kHttpInboxSize), name_);
    }
    pg::end_worker();
}

void HttpWorker::run() {
    pg::call([] { SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_SESSION); });
    configure();
    make_wait_set();
    for (;;) {
        pg::call([] { ResetLatch(MyLatch); });
        if (stopping()) leave();
        const bool reload = ConfigReloadPending;
        pg::serve_interrupts();
        if (reload) configure();
        for (const AttemptId &id : cancelled()) deliveries_.cancel(id);
        tell_confirmed();
        take();
        finish_all(deliveries_.drive());
        wait();
    }
}

}  // namespace

}  // namespace pulse::queue

extern "C" PULSE_EXPORT void pulse_http_worker_main(Datum argument);

void pulse_http_worker_main(Datum argument) {
    using namespace pulse;
    pg::process([&] {
        pg::DatabaseEntry *entry = pg::begin_worker(pg::WorkerRole::kHttp, pg::worker_database(argument));
        queue::Queue *memory = queue::memory();
        if (memory == nullptr || !queue::begin_http()) pg::end_worker();
        queue::Slot *slot = queue::take_http_slot(memory);
        queue::begin_interrupts(slot);
        queue::HttpWorker(entry, slot).run();
    });
}
