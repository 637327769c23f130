// Peek, then claim: what is passed over (its key is taken, its attempt would be the last and nobody is idle) is never locked or written.
#include "queue/claim.hpp"

#include "pg/run_as.hpp"
#include "queue/hosts.hpp"

namespace pulse::queue {

#define PULSE_HOST "j.kind, CASE WHEN j.channel = 'webhook' AND j.function IS NULL THEN j.args END"
#define PULSE_CANDIDATE "j.id, j.run_at, j.attempt, j.max_attempts, j.queue, j.priority, j.channel, j.partition_key, " PULSE_HOST

namespace {

std::optional<std::string> optional_string(const pg::Row &row, int column) {
    if (const auto value = row.optional_text(column)) return std::string(*value);
    return std::nullopt;
}

// Of class http, from the columns of PULSE_HOST.
std::string host(const pg::Row &row, std::string_view channel, int column) {
    if (class_of(channel) != Class::kHttp) return {};
    return host_of(channel, row.text(column), row.optional_text(column + 1));
}

Candidate candidate(const pg::Row &row) {
    return {row.int8(1),           DatumGetTimestampTz(row.datum(2)), row.int4(3),
            row.int4(4),           std::string(row.text(5)),          row.int4(6),
            class_of(row.text(7)), optional_string(row, 8),           host(row, row.text(7), 9)};
}

pg::Plan::Param param_time(TimestampTz at) { return {TIMESTAMPTZOID, TimestampTzGetDatum(at)}; }

std::vector<Claimed> claimed(pg::Plan &plan, std::initializer_list<pg::Plan::Param> params) {
    std::vector<Claimed> result;
    plan.for_each(params, [&](const pg::Row &row) { result.push_back({{row.int8(1), row.int4(2)}, std::string(row.text(3))}); });
    return result;
}

Executing executing_row(const pg::Row &row) {
    return {{row.int8(1), row.int4(2)},
            std::string(row.text(3)),
            optional_string(row, 4),
            class_of(row.text(5)),
            host(row, row.text(5), 9),
            row.is_null(6) ? GetCurrentTimestamp() : DatumGetTimestampTz(row.datum(6)),
            row.is_null(7) ? DT_NOEND : DatumGetTimestampTz(row.datum(7)),
            row.boolean(8)};
}

#define PULSE_EXECUTING \
    "j.id, j.attempt, j.queue, j.partition_key, j.channel, j.attempted_at, j.lease_until, j.cancelled_at IS NOT NULL, " PULSE_HOST

}  // namespace

std::vector<Candidate> peek(const LaneName &lane, const Place &from, int most) {
    static pg::Plan plan("SELECT " PULSE_CANDIDATE " FROM _pulse.jobs j WHERE j.queue = $1 AND j.priority = $2 "
                         "AND (j.run_at, j.id) >= ($3, $4) AND j.state IN ('available', 'scheduled', 'retryable') "
                         "ORDER BY j.queue, j.priority, j.run_at, j.id LIMIT $5");
    std::vector<Candidate> found;
    plan.for_each(
        {pg::param_text(lane.queue), pg::param_int4(lane.priority), param_time(from.run_at), pg::param_int8(from.id), pg::param_int8(most)},
        [&](const pg::Row &row) { found.push_back(candidate(row)); });
    return found;
}

std::optional<Candidate> first_of_key(const KeyName &name, std::int64_t from) {
    static pg::Plan plan("SELECT " PULSE_CANDIDATE " FROM _pulse.jobs j WHERE j.queue = $1 AND j.partition_key = $2 AND j.id >= $3 "
                         "AND j.partition_key IS NOT NULL AND j.state <> 'executing' ORDER BY j.queue, j.partition_key, j.id LIMIT 1");
    if (plan.run({pg::param_text(name.queue), pg::param_text(name.key), pg::param_int8(from)}) == 0) return std::nullopt;
    return candidate(pg::result_row());
}

std::vector<Claimed> claim(const std::vector<int64> &ids) {
    static pg::Plan plan("UPDATE _pulse.jobs j SET state = 'executing', attempt = j.attempt + 1, attempted_at = clock_timestamp() "
                         "FROM (SELECT w.id FROM _pulse.jobs w WHERE w.id = ANY ($1) AND w.state <> 'executing' "
                         "FOR UPDATE SKIP LOCKED) AS free WHERE j.id = free.id RETURNING j.id, j.attempt, j.kind");
    if (ids.empty()) return {};
    return claimed(plan, {pg::param_int8s(ids)});
}

std::vector<Claimed> claim_for(const std::vector<int64> &ids, std::string_view worker, TimestampTz lease_until) {
    static pg::Plan plan(
        "UPDATE _pulse.jobs j SET state = 'executing', attempt = j.attempt + 1, attempted_at = clock_timestamp(), worker = $2, "
        "lease_until = $3 FROM (SELECT w.id FROM _pulse.jobs w WHERE w.id = ANY ($1) "
        "AND w.state <> 'executing' FOR UPDATE SKIP LOCKED) AS free WHERE j.id = free.id "
        "RETURNING j.id, j.attempt, j.kind");
    if (ids.empty()) return {};
    return claimed(plan, {pg::param_int8s(ids), pg::param_text(worker), param_time(lease_until)});
}

std::vector<WaitingLane> waiting_lanes() {
    static pg::Plan plan("WITH RECURSIVE lanes AS ("
                         "(SELECT j.queue, j.priority FROM _pulse.jobs j WHERE j.state IN ('available', 'scheduled', 'retryable') "
                         "ORDER BY j.queue, j.priority LIMIT 1) "
                         "UNION ALL SELECT next.queue, next.priority FROM lanes l, LATERAL (SELECT j.queue, j.priority FROM _pulse.jobs j "
                         "WHERE (j.queue, j.priority) > (l.queue, l.priority) AND j.state IN ('available', 'scheduled', 'retryable') "
                         "ORDER BY j.queue, j.priority LIMIT 1) AS next) SELECT lanes.queue, lanes.priority FROM lanes");
    std::vector<WaitingLane> found;
    plan.for_each({}, [&](const pg::Row &row) { found.push_back({std::string(row.text(1)), row.int4(2)}); });
    return found;
}

std::vector<Executing> executing() {
    static pg::Plan plan("SELECT " PULSE_EXECUTING " FROM _pulse.jobs j WHERE j.state = 'executing' ORDER BY j.id");
    std::vector<Executing> found;
    plan.for_each({}, [&](const pg::Row &row) { found.push_back(executing_row(row)); });
    return found;
}

std::vector<Executing> executing(const std::vector<int64> &ids) {
    static pg::Plan plan("SELECT " PULSE_EXECUTING " FROM _pulse.jobs j WHERE j.id = ANY ($1) AND j.state = 'executing'");
    std::vector<Executing> found;
    if (ids.empty()) return found;
    plan.for_each({pg::param_int8s(ids)}, [&](const pg::Row &row) { found.push_back(executing_row(row)); });
    return found;
}

std::vector<Executing> lock_executing(const std::vector<int64> &ids) {
    static pg::Plan plan("SELECT " PULSE_EXECUTING
                         " FROM _pulse.jobs j WHERE j.id = ANY ($1) AND j.state = 'executing' FOR UPDATE SKIP LOCKED");
    std::vector<Executing> found;
    if (ids.empty()) return found;
    plan.for_each({pg::param_int8s(ids)}, [&](const pg::Row &row) { found.push_back(executing_row(row)); });
    return found;
}

std::vector<TimestampTz> ends_since(std::string_view queue, TimestampTz since) {
    // Bitmap scans are off in this session; the summary of the history by time is one. The history is what it is for.
    static pg::Plan plan(
        "SELECT ended.at FROM (SELECT h.finished_at AS at FROM _pulse.job_history h WHERE h.finished_at >= $2 AND h.queue = $1 "
        "UNION ALL SELECT (e ->> 'finishedAt')::timestamptz FROM _pulse.job_history h, json_array_elements(h.errors) AS e "
        "WHERE h.finished_at >= $2 AND h.queue = $1 "
        "UNION ALL SELECT (e ->> 'finishedAt')::timestamptz FROM _pulse.dead_letters d, json_array_elements(d.errors) AS e "
        "WHERE d.queue = $1 AND d.finished_at >= $2 "
        "UNION ALL SELECT (e ->> 'finishedAt')::timestamptz FROM _pulse.jobs j, json_array_elements(j.errors) AS e "
        "WHERE j.queue = $1 AND j.errors IS NOT NULL) AS ended WHERE ended.at >= $2 ORDER BY ended.at");
    pg::SettingScope settings;
    for (const char *name : {"enable_bitmapscan", "enable_sort"}) settings.set(name, "on");
    std::vector<TimestampTz> found;
    plan.for_each({pg::param_text(queue), param_time(since)},
                  [&](const pg::Row &row) { found.push_back(DatumGetTimestampTz(row.datum(1))); });
    return found;
}

}  // namespace pulse::queue
