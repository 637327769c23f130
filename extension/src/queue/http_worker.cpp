// The HTTP worker: one process a database, for deliveries by fcm, sms and webhook. Loads attempts and asks kinds' builders for their
// arguments in a short transaction; sends with no transaction open, many at once; ends them in batches, whatever has an answer by then.
// Waits on its latch and libcurl's descriptor together. A server that hangs holds its own deliveries only.
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

namespace pulse::queue {

namespace {

constexpr long kBuildWithin = 5000;  // ms, for a builder: the others wait for it

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
    void configure() { deliveries_.configure(configured_channels()); }
    void make_wait_set();
    void wait();
    void take();
    void begin(Attempt attempt);
    void cancel_some();
    void finish_all(std::vector<Delivered> delivered);
    void report(const std::vector<Delivered> &delivered);
    template <class F>
    void in_transaction(F &&f);

    pg::DatabaseEntry *entry_;
    Slot *slot_;
    std::string name_;
    Deliveries deliveries_;
    std::vector<AttemptId> on_their_way_;
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
    const std::optional<long> due = deliveries_.due_in();
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
            return deliveries_.end(std::move(delivery), stopping() ? Outcome{.what = Outcome::kReturned}
                                                                   : Outcome{.what = Outcome::kCancelled, .error = "cancelled"});
    }
}

void HttpWorker::take() {
    const int room = guc::http_concurrency - static_cast<int>(deliveries_.size());
    if (room <= 0) return;
    std::vector<AttemptId> ids;
    for (const AttemptId &id : waiting(room))
        if (begun(id)) ids.push_back(id);
    slot_->running = 0;
    if (ids.empty()) return;
    pg::call([&] {
        char activity[64];
        snprintf(activity, sizeof activity, "pulse: %zu deliveries", ids.size() + deliveries_.size());
        pgstat_report_activity(STATE_RUNNING, activity);
    });
    std::vector<Attempt> attempts;
    in_transaction([&] {
        {
            const pg::SpiSession spi;
            attempts = load(ids, name_);
        }
        std::vector<AttemptId> loaded;
        const UserCode user;
        for (Attempt &attempt : attempts) {
            loaded.push_back(attempt.key());
            begin(std::move(attempt));
        }
        on_their_way_.insert(on_their_way_.end(), loaded.begin(), loaded.end());
        // What could not be loaded has ended otherwise.
        std::erase_if(ids, [&](const AttemptId &id) { return std::find(loaded.begin(), loaded.end(), id) != loaded.end(); });
    });
    if (!ids.empty()) ended(ids);
    pg::forget_all();
}

void HttpWorker::cancel_some() {
    for (const AttemptId &id : on_their_way_)
        if (cancelled(id)) deliveries_.cancel(id);
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
    pg::wait_for_standby(XactLastCommitEnd);
    ended(over);
    std::erase_if(on_their_way_, [&](const AttemptId &id) { return std::find(over.begin(), over.end(), id) != over.end(); });
    report(delivered);
    pg::call([] { pgstat_report_stat(false); });
}

void HttpWorker::run() {
    pg::call([] { SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_SESSION); });
    configure();
    make_wait_set();
    for (;;) {
        pg::call([] { ResetLatch(MyLatch); });
        if (stopping()) {
            deliveries_.stop();
            finish_all(deliveries_.drive());
            pg::end_worker();
        }
        const bool reload = ConfigReloadPending;
        pg::serve_interrupts();
        if (reload) configure();
        cancel_some();
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
