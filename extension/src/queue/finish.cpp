// What the ends of attempts write. The common one, success without anything configured, is one statement for all of a batch.
#include "queue/finish.hpp"

#include "guc.hpp"
#include "json/slice.hpp"
#include "queue/backoff.hpp"
#include "queue/errors.hpp"
#include "queue/events.hpp"
#include "queue/history.hpp"
#include "queue/news.hpp"
#include "queue/plans.hpp"
#include "queue/settings.hpp"

#include <deque>
#include <unordered_set>

namespace pulse::queue {

namespace {

// A rate limit of the queue must not hold what its ends set off.
constexpr const char *kOnEndQueue = "pulse:on_end";
// What a job returned is told to what its end sets off, when it is no longer than this.
constexpr std::size_t kMostToldBytes = 1024 * 1024;

double random_share() {
    uint32 bits = 0;
    if (!pg_strong_random(&bits, sizeof bits)) bits = 0;
    return bits / 4294967296.0;
}

pg::Plan::Param param_time(TimestampTz at) { return {TIMESTAMPTZOID, TimestampTzGetDatum(at)}; }

#define PULSE_JOB_COLUMNS                                                                                                    \
    "queue, kind, args, function, priority, run_at, attempt, max_attempts, unique_key, timeout, role, created_at, channel, " \
    "partition_key, on_end, traceparent, worker"
#define PULSE_JOB_VALUES                                                                                                      \
    "g.queue, g.kind, g.args, g.function, g.priority, g.run_at, g.attempt, g.max_attempts, g.unique_key, g.timeout, g.role, " \
    "g.created_at, g.channel, g.partition_key, g.on_end, g.traceparent, coalesce(g.worked, g.worker)"

std::string failures_of(const Ended &ended) {
    const Attempt &job = *ended.attempt;
    return with_failure(job.errors, {job.attempt, job.worker, ended.started_at, ended.finished_at, ended.outcome.error});
}

// What became of it, for the event and on_end.
enum class End { kNothing, kWaits, kDead, kUnwanted };

// kUnwanted: it was cancelled meanwhile, or is not executing any more.
End to_dead_letters(const Ended &ended, const char *reason, std::string_view error) {
    static pg::Plan bury(
        "WITH gone AS (DELETE FROM _pulse.jobs j WHERE j.id = $1 AND j.attempt = $2 AND j.state = 'executing' AND j.cancelled_at IS NULL "
        "RETURNING j.*, $8 AS worked) INSERT INTO _pulse.dead_letters (id, reason, last_error, errors, attempted_at, "
        "finished_at, " PULSE_JOB_COLUMNS ") "
        "SELECT g.id, $3, $4, $5, $6, $7, " PULSE_JOB_VALUES " FROM gone g");
    const Attempt &job = *ended.attempt;
    const bool buried =
        bury.run({pg::param_int8(job.id), pg::param_int4(job.attempt), pg::param_text(std::string_view(reason)),
                  pg::param_text(short_error(error)), pg::param_json(failures_of(ended)), param_time(ended.started_at),
                  param_time(ended.finished_at), pg::param_text(job.worker.empty() ? std::nullopt : std::optional(job.worker))}) > 0;
    return buried ? End::kDead : End::kUnwanted;
}

// Back to where it waited.
End wait_again(const Ended &ended, const std::string &superseded, pg::Plan &plan, std::initializer_list<pg::Plan::Param> params) {
    const Attempt &job = *ended.attempt;
    std::optional<TimestampTz> waits_until;
    const auto update = [&] {
        if (plan.run(params) > 0) waits_until = DatumGetTimestampTz(pg::result_row().datum(1));
    };
    if (!job.unique_key) {
        update();
    } else if (const auto conflict = pg::subtransaction(update)) {
        if (conflict->sqlstate == ERRCODE_LOCK_NOT_AVAILABLE) return End::kNothing;  // who cannot wait tries again
        if (conflict->sqlstate != ERRCODE_UNIQUE_VIOLATION) throw pg::Error(*conflict);
        return to_dead_letters(ended, "superseded", superseded);
    }
    if (!waits_until) return End::kUnwanted;
    tell_waiting(job.queue, job.priority, job.channel, *waits_until, job.id);
    return End::kWaits;
}

End give_back(const Ended &ended) {
    static pg::Plan back(
        "UPDATE _pulse.jobs SET state = CASE WHEN attempt > 1 THEN 'retryable' ELSE 'available' END, attempt = attempt - 1, "
        "worker = NULL, lease_until = NULL WHERE id = $1 AND attempt = $2 AND state = 'executing' AND cancelled_at IS NULL "
        "RETURNING run_at");
    const Attempt &job = *ended.attempt;
    return wait_again(ended, "superseded by a newer job with the same unique_key", back,
                      {pg::param_int8(job.id), pg::param_int4(job.attempt)});
}

End retry(const Ended &ended) {
    static pg::Plan again("UPDATE _pulse.jobs SET state = 'retryable', last_error = $3, errors = $4, attempted_at = $5, worker = NULL, "
                          "lease_until = NULL, run_at = clock_timestamp() + make_interval(secs => $6) "
                          "WHERE id = $1 AND attempt = $2 AND state = 'executing' AND cancelled_at IS NULL RETURNING run_at");
    const Attempt &job = *ended.attempt;
    const std::string &error = ended.outcome.error;
    if (job.is_last()) return to_dead_letters(ended, "attempts", error);
    const double seconds = retry_seconds(job.attempt, random_share(), backoff_of(job.queue, job.kind), ended.outcome.retry_after_ms);
    return wait_again(ended, "superseded by a newer job with the same unique_key; its own error: " + error, again,
                      {pg::param_int8(job.id),
                       pg::param_int4(job.attempt),
                       pg::param_text(short_error(error)),
                       pg::param_json(failures_of(ended)),
                       param_time(ended.started_at),
                       {FLOAT8OID, Float8GetDatum(seconds)}});
}

// When the queue wants it.
void publish(std::string_view queue, const char *event, int64 id, std::string_view kind, const char *state, int attempt,
             std::string_view error = {}) {
    if (queue_settings(queue).events) try_publish_change(queue, event, id, kind, state, attempt, error);
}

// The job that the end of this one sets off. It is given all there is to know, as {"function", "args": {…}}.
void set_off(const Attempt &job, const char *state, const Outcome &outcome) {
    static pg::Plan insert("INSERT INTO _pulse.jobs (queue, kind, args, function, run_at, max_attempts, timeout, role, traceparent) "
                           "VALUES ($1, 'sql', $2, $3, clock_timestamp(), 3, '30 s', $4, $5) RETURNING id, run_at");
    if (!job.on_end) return;
    const bool tells_result = outcome.result_json && outcome.result_json->size() <= kMostToldBytes;
    std::string args = "{\"function\":" + json::quoted(*job.on_end) + ",\"args\":{\"id\":\"" + std::to_string(job.id) +
                       "\",\"queue\":" + json::quoted(job.queue) + ",\"kind\":" + json::quoted(job.kind) + ",\"state\":\"" + state +
                       "\",\"attempt\":" + std::to_string(job.attempt) + ",\"args\":" + job.args +
                       ",\"result\":" + (tells_result ? *outcome.result_json : "null") + ",\"error\":";
    args += outcome.error.empty() ? "null" : json::quoted(short_error(outcome.error));
    args += "}}";
    insert.run({pg::param_text(std::string_view(kOnEndQueue)), pg::param_json(args), pg::param_text(*job.on_end), pg::param_text(job.role),
                pg::param_text(job.traceparent)});
    const pg::Row row = pg::result_row();
    const int64 id = row.int8(1);
    tell_waiting(kOnEndQueue, 0, "sql", DatumGetTimestampTz(row.datum(2)), id);
    publish(kOnEndQueue, "job:enqueued", id, "sql", "available", 0);
}

void publish_end(const Attempt &job, const char *event, const char *state, const Outcome &outcome) {
    publish(job.queue, event, job.id, job.kind, state, job.attempt, outcome.error);
}

void follow_up(const Attempt &job, const char *event, const char *state, const Outcome &outcome) {
    publish_end(job, event, state, outcome);
    set_off(job, state, outcome);
}

}  // namespace

std::vector<int64> finish(std::span<const Ended> ended) {
    const PinnedPlans pinned;
    std::vector<const Ended *> finished;
    std::deque<Ended> unwanted;
    std::vector<int64> changed;
    for (const Ended &one : ended) {
        const Attempt &job = *one.attempt;
        switch (one.outcome.what) {
            case Outcome::kCompleted:
            case Outcome::kCancelled: finished.push_back(&one); break;
            case Outcome::kDiscard:
            case Outcome::kReturned:
            case Outcome::kRetry: {
                const bool returned = one.outcome.what == Outcome::kReturned;
                const End end = returned                              ? give_back(one)
                                : one.outcome.what == Outcome::kRetry ? retry(one)
                                                                      : to_dead_letters(one, "permanent", one.outcome.error);
                if (end == End::kNothing) break;
                if (end == End::kUnwanted) {
                    unwanted.push_back(one);
                    unwanted.back().outcome.what = Outcome::kCancelled;
                    finished.push_back(&unwanted.back());
                    break;
                }
                changed.push_back(job.id);
                if (end == End::kWaits && returned)
                    publish(job.queue, "job:enqueued", job.id, job.kind, job.attempt > 1 ? "retryable" : "available", job.attempt - 1);
                else if (end == End::kWaits)
                    publish_end(job, "job:retry", "retryable", one.outcome);
                else
                    follow_up(job, "job:discarded", "discarded", one.outcome);
                break;
            }
        }
    }
    const std::vector<int64> gone = to_history(finished);
    const bool all = gone.size() == finished.size();
    const std::unordered_set<int64> really(gone.begin(), gone.end());
    for (const Ended *one : finished) {
        if (!all && !really.contains(one->attempt->id)) continue;
        const bool completed = one->outcome.what == Outcome::kCompleted;
        follow_up(*one->attempt, completed ? "job:completed" : "job:cancelled", completed ? "completed" : "cancelled", one->outcome);
    }
    changed.insert(changed.end(), gone.begin(), gone.end());
    return changed;
}

void report(pg::DatabaseEntry *entry, std::span<const Ended> ended) {
    for (const Ended &end : ended) {
        const Attempt &job = *end.attempt;
        const bool failed = end.outcome.what == Outcome::kRetry || end.outcome.what == Outcome::kDiscard;
        pg_atomic_fetch_add_u64(failed ? &entry->jobs_failed : &entry->jobs_done, 1);
        if (failed)
            pg::call([&] {
                ereport(LOG, (errmsg("job %lld of queue \"%s\" failed in attempt %d of %d", static_cast<long long>(job.id),
                                     job.queue.c_str(), job.attempt, job.max_attempts),
                              errdetail_internal("%s", end.outcome.error.c_str())));
            });
    }
}

std::vector<int64> cancel_waiting(const std::vector<int64> &ids, std::string_view why) {
    static pg::Plan forget(
        "DELETE FROM _pulse.jobs j WHERE j.id = ANY ($1) AND j.state <> 'executing' "
        "RETURNING j.id, j.queue, j.kind, j.args, j.role, j.attempt, j.on_end, j.traceparent, j.priority, j.channel, j.partition_key");
    static pg::Plan keep(
        "WITH gone AS (DELETE FROM _pulse.jobs j WHERE j.id = ANY ($1) AND j.state <> 'executing' "
        "RETURNING j.*, NULL::text AS worked) "
        "INSERT INTO _pulse.job_history (slot, id, state, last_error, attempted_at, errors, finished_at, " PULSE_JOB_COLUMNS ") "
        "SELECT $2, g.id, 'cancelled', $3, g.attempted_at, g.errors, clock_timestamp(), " PULSE_JOB_VALUES
        " FROM gone g RETURNING id, queue, kind, args, role, attempt, on_end, traceparent, priority, channel, partition_key");
    const PinnedPlans pinned;
    std::vector<Attempt> gone;
    const auto each = [&](const pg::Row &row) {
        Attempt job;
        job.id = row.int8(1);
        job.queue = row.text(2);
        job.kind = row.text(3);
        job.args = row.text(4);
        job.role = row.text(5);
        job.attempt = row.int4(6);
        if (const auto function = row.optional_text(7)) job.on_end = std::string(*function);
        if (const auto parent = row.optional_text(8)) job.traceparent = std::string(*parent);
        // The next of its key may have waited for it, passed over long ago.
        if (!row.is_null(11)) tell_waiting(job.queue, row.int4(9), row.text(10), DT_NOBEGIN, 0);
        gone.push_back(std::move(job));
    };
    if (guc::job_retention == 0)
        forget.for_each({pg::param_int8s(ids)}, each);
    else
        keep.for_each(
            {pg::param_int8s(ids), {INT2OID, Int16GetDatum(history_slot(GetCurrentTimestamp()))}, pg::param_text(short_error(why))}, each);
    std::vector<int64> cancelled;
    Outcome outcome{.what = Outcome::kCancelled, .error = std::string(why)};
    for (const Attempt &job : gone) {
        follow_up(job, "job:cancelled", "cancelled", outcome);
        cancelled.push_back(job.id);
    }
    return cancelled;
}

}  // namespace pulse::queue
