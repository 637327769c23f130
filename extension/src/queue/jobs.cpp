// The queries of the job worker. They run with sequential scans off: the table is mostly empty when it is analysed.
#include "queue/jobs.hpp"

#include "queue/backoff.hpp"

namespace pulse::queue {

std::optional<Job> claim() {
    static pg::Plan plan(
        "UPDATE _pulse.jobs j SET state = 'executing', attempt = j.attempt + 1, attempted_at = clock_timestamp() "
        "FROM (SELECT w.id FROM _pulse.jobs w WHERE w.state IN ('available', 'scheduled', 'retryable') "
        "AND w.run_at <= clock_timestamp() ORDER BY w.priority, w.run_at, w.id LIMIT 1 FOR UPDATE SKIP LOCKED) AS next "
        "WHERE j.id = next.id "
        "RETURNING j.id, j.attempt, j.max_attempts, (extract(epoch FROM j.timeout) * 1000)::bigint, j.queue, j.function, j.role, j.args");
    if (plan.run() == 0) return std::nullopt;
    const pg::Row row = pg::result_row();
    return Job{row.int8(1),
               row.int4(2),
               row.int4(3),
               static_cast<long>(row.int8(4)),
               std::string(row.text(5)),
               std::string(row.optional_text(6).value_or("")),
               std::string(row.text(7)),
               std::string(row.text(8))};
}

void finish(const Job &job) {
    static pg::Plan plan("DELETE FROM _pulse.jobs WHERE id = $1 AND attempt = $2");
    plan.run({pg::param_int8(job.id), pg::param_int4(job.attempt)});
}

static void discard(const Job &job, std::string_view error) {
    static pg::Plan plan("UPDATE _pulse.jobs SET state = 'discarded', last_error = $3 WHERE id = $1 AND attempt = $2");
    plan.run({pg::param_int8(job.id), pg::param_int4(job.attempt), pg::param_text(error)});
}

static double random_share() {
    uint32 bits = 0;
    if (!pg_strong_random(&bits, sizeof bits)) bits = 0;
    return bits / 4294967296.0;
}

void fail_attempt(const Job &job, std::string_view error) {
    if (job.attempt >= job.max_attempts) return discard(job, error);
    static pg::Plan plan(
        "UPDATE _pulse.jobs SET state = 'retryable', last_error = $3, run_at = clock_timestamp() + make_interval(secs => $4) "
        "WHERE id = $1 AND attempt = $2");
    const double seconds = backoff_seconds(job.attempt, random_share());
    const auto conflict = pg::subtransaction([&] {
        plan.run({pg::param_int8(job.id), pg::param_int4(job.attempt), pg::param_text(error), {FLOAT8OID, Float8GetDatum(seconds)}});
    });
    if (!conflict) return;
    if (conflict->sqlstate != ERRCODE_UNIQUE_VIOLATION) throw pg::Error(*conflict);
    discard(job, std::string("superseded by a newer job with the same unique_key; its own error: ") + std::string(error));
}

void rescue() {
    static pg::Plan plan("SELECT id, attempt, max_attempts FROM _pulse.jobs WHERE state = 'executing' ORDER BY id FOR UPDATE SKIP LOCKED");
    std::vector<Job> orphans;
    plan.for_each({}, [&](const pg::Row &row) { orphans.push_back({row.int8(1), row.int4(2), row.int4(3), 0, {}, {}, {}, {}}); });
    for (const Job &job : orphans) fail_attempt(job, "the worker ended during this attempt");
}

std::optional<std::int64_t> next_due() {
    static pg::Plan plan("SELECT (extract(epoch FROM min(run_at) - clock_timestamp()) * 1000)::bigint FROM _pulse.jobs "
                         "WHERE state IN ('available', 'scheduled', 'retryable') AND run_at < 'infinity'");
    plan.run();  // a snapshot of its own: what this transaction has just put back counts
    const pg::Row row = pg::result_row();
    if (row.is_null(1)) return std::nullopt;
    return std::max<std::int64_t>(row.int8(1) + 1, 0);
}

}  // namespace pulse::queue
