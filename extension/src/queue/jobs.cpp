// The queries of the job worker. They run with sequential scans off: the table is mostly empty when it is analysed.
#include "queue/jobs.hpp"

#include "queue/finish.hpp"
#include "queue/load.hpp"

namespace pulse::queue {

std::optional<Attempt> claim() {
    static pg::Plan plan(
        "UPDATE _pulse.jobs j SET state = 'executing', attempt = j.attempt + 1, attempted_at = clock_timestamp() "
        "FROM (SELECT w.id FROM _pulse.jobs w WHERE w.state IN ('available', 'scheduled', 'retryable') AND w.channel = 'sql' "
        "AND w.run_at <= clock_timestamp() ORDER BY w.priority, w.run_at, w.id LIMIT 1 FOR UPDATE SKIP LOCKED) AS next "
        "WHERE j.id = next.id RETURNING j.id, j.attempt");
    if (plan.run() == 0) return std::nullopt;
    const pg::Row row = pg::result_row();
    const AttemptId id{row.int8(1), row.int4(2)};
    return load({&id, 1}, "worker").at(0);
}

void rescue() {
    static pg::Plan plan(
        "SELECT j.id, j.attempt, j.attempted_at FROM _pulse.jobs j WHERE j.state = 'executing' AND j.channel <> 'external' "
        "ORDER BY j.id FOR UPDATE SKIP LOCKED");
    std::vector<AttemptId> orphans;
    std::vector<TimestampTz> started;
    plan.for_each({}, [&](const pg::Row &row) {
        orphans.push_back({row.int8(1), row.int4(2)});
        started.push_back(DatumGetTimestampTz(row.datum(3)));
    });
    const std::vector<Attempt> attempts = load(orphans, "");
    std::vector<Ended> ended;
    for (std::size_t n = 0; n < attempts.size(); ++n)
        ended.push_back(
            {&attempts[n], {.what = Outcome::kRetry, .error = "the worker ended during this attempt"}, started[n], GetCurrentTimestamp()});
    finish(ended);
}

std::optional<std::int64_t> next_due() {
    static pg::Plan plan("SELECT (extract(epoch FROM min(run_at) - clock_timestamp()) * 1000)::bigint FROM _pulse.jobs "
                         "WHERE state IN ('available', 'scheduled', 'retryable') AND channel = 'sql' AND run_at < 'infinity'");
    plan.run();  // a snapshot of its own: what this transaction has just put back counts
    const pg::Row row = pg::result_row();
    if (row.is_null(1)) return std::nullopt;
    return std::max<std::int64_t>(row.int8(1) + 1, 0);
}

}  // namespace pulse::queue
