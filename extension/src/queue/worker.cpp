// A job worker: one of pulse.job_workers processes a database. Runs what the foreman has put into its inbox, several jobs a transaction
// under savepoints, and ends them in the same transaction. Claims nothing, polls nothing. Any error of its own ends it; the launcher
// starts it again, and the foreman sees to what it had begun.
#include "pg/worker.hpp"

#include "guc.hpp"
#include "pg/leftovers.hpp"
#include "pg/standby.hpp"
#include "queue/finish.hpp"
#include "queue/inbox.hpp"
#include "queue/interrupts.hpp"
#include "queue/load.hpp"
#include "queue/run.hpp"
#include "queue/typical.hpp"

namespace pulse::queue {

namespace {

constexpr int kMostInBatch = 256;
// A transaction of several jobs ends after about so long …
constexpr int64 kBatchTime = 10 * 1000;  // µs
// … or when so many of its savepoints have written something: of more than 64 the server's snapshots know only by a table on disk.
constexpr int kMostWritten = 60;
// … and a job in it that turns out to be slower than this is rolled back and begun again alone, so that it does not hold the others.
constexpr long kPatience = 100;  // ms

class Worker {
public:
    Worker(pg::DatabaseEntry *entry, Slot *slot, int number)
        : entry_(entry), slot_(slot), name_("worker " + std::to_string(number + 1) + " (pid " + std::to_string(MyProcPid) + ")") {}
    [[noreturn]] void run();

private:
    struct Done {
        std::vector<Ended> ended;
        std::vector<AttemptId> over;  // to be told to the foreman after the commit
        int64 spent = 0;
    };
    // They begin when the WAL is on disk up to `claimed`.
    void run_batch(const std::vector<AttemptId> &ids, XLogRecPtr claimed);
    void give_back_all();
    void run_jobs(const std::vector<Attempt> &jobs, Done &done);
    bool fits(const Attempt &job, const Done &done) const;
    // False: it is to be begun again, alone.
    bool run_one(const Attempt &job, Done &done);

    pg::DatabaseEntry *entry_;
    Slot *slot_;
    std::string name_;
    Typical typical_;
    std::optional<AttemptId> again_;  // begun, and to be run alone next
};

// Whether another attempt may share its transaction with others: not one that failed before, nor one that has only this.
bool stays_alone(const Attempt &job) { return job.attempt > 1 || job.is_last(); }

// Savepoints of this transaction that were released and had written something.
int written() {
    TransactionId *ids;
    return xactGetCommittedChildren(&ids);
}

bool Worker::fits(const Attempt &job, const Done &done) const {
    if (done.ended.empty()) return true;
    if (stays_alone(job) || stopping()) return false;
    return done.spent + typical_.of(job.function.value_or("")) <= kBatchTime;
}

bool Worker::run_one(const Attempt &job, Done &done) {
    const bool alone = done.ended.empty();
    const TimestampTz started = GetCurrentTimestamp();
    const long limit = alone ? job.timeout_ms : std::min(job.timeout_ms, kPatience);
    CallResult result;
    if (!job.function) {
        result = {CallResult::kFailed, std::nullopt, "no function"};
    } else {
        const Interruptible interruptible(job.id);
        result = call(job, *job.function, arguments(job), limit);
    }
    slot_->running = 0;
    const TimestampTz finished = GetCurrentTimestamp();
    done.spent += finished - started;
    if (job.function && result.what != CallResult::kInterrupted) typical_.took(*job.function, finished - started);
    Outcome outcome{.what = Outcome::kRetry, .error = result.error};
    switch (result.what) {
        case CallResult::kDone:
            outcome = {.what = Outcome::kCompleted};
            outcome.result_json = std::move(result.result);
            break;
        case CallResult::kFailed: break;
        case CallResult::kDiscarded: outcome.what = Outcome::kDiscard; break;
        case CallResult::kTimedOut:
            if (limit < job.timeout_ms) return false;
            outcome.error = "57014: ran longer than its timeout of " + std::to_string(job.timeout_ms) + " ms";
            break;
        case CallResult::kInterrupted:
            if (slot_->cancel == job.id)
                outcome = {.what = Outcome::kCancelled, .error = "cancelled"};
            else if (stopped_by_job())
                outcome.error = kEndedItsWorker;
            else if (stopping())
                outcome = {.what = Outcome::kReturned};
            break;
    }
    done.ended.push_back({&job, std::move(outcome), started, finished});
    return true;
}

void Worker::run_jobs(const std::vector<Attempt> &jobs, Done &done) {
    for (const Attempt &job : jobs) {
        if (!fits(job, done)) break;
        if (!begun(job.key())) continue;
        pg::call([&] {
            char activity[128];
            snprintf(activity, sizeof activity, "pulse: job %lld: %s", static_cast<long long>(job.id), job.function.value_or("").c_str());
            pgstat_report_activity(STATE_RUNNING, activity);
        });
        if (!run_one(job, done)) {
            again_ = job.key();
            break;
        }
        if (stays_alone(job) || done.spent > kBatchTime || written() >= kMostWritten || stopping()) break;
    }
}

void Worker::run_batch(const std::vector<AttemptId> &ids, XLogRecPtr claimed) {
    std::vector<Attempt> jobs;
    Done done;
    bool there = false;
    {
        const Busy busy;
        there = pg::extension_transaction([&] {
            {
                const OwnCode own;
                const pg::SpiSession spi;
                jobs = load(ids, name_);
            }
            {
                const UserCode user;
                pg::call([&] { XLogFlush(claimed); });
                run_jobs(jobs, done);
            }
            through();
            {
                const OwnCode own;
                const pg::SpiSession spi;
                // An attempt that was not ours any more must leave nothing behind: all is rolled back, and begins again.
                if (finish(done.ended).size() < done.ended.size())
                    pg::fail(ERRCODE_T_R_SERIALIZATION_FAILURE, "a job of this transaction has been ended by somebody else");
            }
        });
        if (there) pg::wait_for_standby(XactLastCommitEnd);
        for (const Ended &end : done.ended) done.over.push_back(end.attempt->key());
        // What could not be loaded has ended otherwise. (They are loaded in order.)
        for (auto job = jobs.begin(); const AttemptId &id : ids)
            if (job != jobs.end() && job->key() == id)
                ++job;
            else
                done.over.push_back(id);
        slot_->typical = typical_.lately();
        if (there) ended(done.over);
    }
    if (!there) pg::end_without_extension();
    report(entry_, done.ended);
    pg::forget_all();
    pg::call([] { pgstat_report_stat(false); });
}

// On the way out: what waits here is nobody's any more.
void Worker::give_back_all() {
    const Busy busy;
    std::vector<AttemptId> ids = waiting(kInboxSize);
    if (again_) ids.push_back(*again_);
    give_back(ids, name_);
}

void Worker::run() {
    pg::call([] { SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_SESSION); });
    begin_as_user();
    for (;;) {
        pg::call([] { ResetLatch(MyLatch); });
        if (stopping()) {
            give_back_all();
            pg::end_worker();
        }
        const std::optional<AttemptId> again = std::exchange(again_, std::nullopt);
        const std::vector<AttemptId> ids = again ? std::vector<AttemptId>{*again} : waiting(typical_.batch(kMostInBatch, kBatchTime));
        if (!ids.empty()) {
            run_batch(ids, slot_->claimed);
            pg::serve_interrupts();
            continue;
        }
        if (pg::extension_is_gone()) pg::end_worker();
        pg::call([] {
            pgstat_report_stat(true);
            pgstat_report_activity(STATE_IDLE, nullptr);
        });
        pg::wait(-1);
    }
}

}  // namespace

}  // namespace pulse::queue

extern "C" PULSE_EXPORT void pulse_worker_main(Datum argument);

void pulse_worker_main(Datum argument) {
    using namespace pulse;
    pg::process([&] {
        const int number = pg::worker_number(argument);
        pg::DatabaseEntry *entry = pg::begin_worker(pg::WorkerRole::kJobs, pg::worker_database(argument), number);
        queue::Queue *queue = queue::memory();
        if (queue == nullptr) pg::end_worker();
        queue::Slot *slot = queue::take_slot(queue, number);
        queue::begin_interrupts(slot);
        queue::Worker(entry, slot, number).run();
    });
}
