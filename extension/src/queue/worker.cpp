// The job worker process: one a database. Claims a job and commits, so that its attempt counts whatever happens; runs it
// and removes it in a second transaction, which also claims the next. Sleeps until its latch or the next job's time.
// Any error of its own ends it; the launcher starts it again, and what it was running is tried again.
#include "pg/worker.hpp"
#include "guc.hpp"
#include "pg/leftovers.hpp"
#include "pg/standby.hpp"
#include "queue/finish.hpp"
#include "queue/jobs.hpp"
#include "queue/plans.hpp"
#include "queue/run.hpp"

namespace pulse::queue {

namespace {

void set_session() {
    pin_plans_of_session();
    pg::call([] { SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_SESSION); });
}

class Worker {
public:
    explicit Worker(pg::DatabaseEntry *entry) : entry_(entry) {}
    void run();

private:
    template <class F>
    void in_transaction(F &&f);
    void claim_next();
    void run_claimed();

    pg::DatabaseEntry *entry_;
    std::optional<Attempt> job_;
    std::optional<std::int64_t> sleep_;  // milliseconds until the next waiting job is due
};

template <class F>
void Worker::in_transaction(F &&f) {
    bool gone = false;
    pg::transaction([&] {
        gone = !OidIsValid(pg::lock_extension());
        if (gone) return;
        pg::call([] { PushActiveSnapshot(GetTransactionSnapshot()); });
        f();
        pg::call([] { PopActiveSnapshot(); });
    });
    if (gone) pg::end_without_extension();
}

void Worker::claim_next() {
    const pg::SpiSession spi;
    job_ = claim();
    if (!job_) sleep_ = next_due();
}

void Worker::run_claimed() {
    pg::call([&] {
        char activity[128];
        snprintf(activity, sizeof activity, "pulse: job %lld: %s", static_cast<long long>(job_->id), job_->function.value_or("").c_str());
        pgstat_report_activity(STATE_RUNNING, activity);
    });
    const Attempt ran = *std::move(job_);
    std::optional<std::string> error;
    const TimestampTz started = GetCurrentTimestamp();
    in_transaction([&] {
        error = queue::run(ran);
        {
            const pg::SpiSession spi;
            const Ended end{
                &ran, {.what = error ? Outcome::kRetry : Outcome::kCompleted, .error = error.value_or("")}, started, GetCurrentTimestamp()};
            finish({&end, 1});
        }
        claim_next();
    });
    pg::wait_for_standby(XactLastCommitEnd);
    if (error)
        pg::call([&] {
            ereport(LOG, (errmsg("job %lld of queue \"%s\" failed in attempt %d of %d", static_cast<long long>(ran.id), ran.queue.c_str(),
                                 ran.attempt, ran.max_attempts),
                          errdetail_internal("%s", error->c_str())));
        });
    pg_atomic_fetch_add_u64(error ? &entry_->jobs_failed : &entry_->jobs_done, 1);
    pg::forget_all();
    pg::call([] { pgstat_report_stat(false); });
}

void Worker::run() {
    set_session();
    in_transaction([] {
        const pg::SpiSession spi;
        rescue();
    });
    for (;;) {
        in_transaction([&] { claim_next(); });
        if (job_) {
            do {
                run_claimed();
                pg::serve_interrupts();
            } while (job_);
            continue;  // what was enqueued meanwhile may have set the latch while a job or a standby was waited for
        }
        pg::call([] {
            pgstat_report_stat(true);
            pgstat_report_activity(STATE_IDLE, nullptr);
        });
        pg::wait(sleep_ ? static_cast<long>(std::min<std::int64_t>(*sleep_, 3600 * 1000)) : -1);
    }
}

}  // namespace

}  // namespace pulse::queue

extern "C" PULSE_EXPORT void pulse_worker_main(Datum database);

void pulse_worker_main(Datum database) {
    pulse::pg::process([&] {
        pulse::queue::Worker worker(pulse::pg::begin_worker(pulse::pg::WorkerRole::kJobs, DatumGetObjectId(database)));
        worker.run();
    });
}
