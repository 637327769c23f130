// Peek, then claim: what is passed over (its key is taken, its attempt would be the last and nobody is idle) is never locked or written.
#include "queue/claim.hpp"

#include "pg/heap.hpp"
#include "pg/run_as.hpp"
#include "queue/hosts.hpp"
#include "queue/job_columns.hpp"

#include <unordered_map>

namespace pulse::queue {

#define PULSE_HOST "j.kind, CASE WHEN j.channel = 'webhook' AND j.function IS NULL THEN j.args END"
#define PULSE_CANDIDATE "j.ctid, j.id, j.run_at, j.attempt, j.max_attempts, j.queue, j.priority, j.channel, j.partition_key, " PULSE_HOST

namespace {

std::optional<std::string> optional_string(const pg::Row &row, int column) {
    if (const auto value = row.optional_text(column)) return std::string(*value);
    return std::nullopt;
}

// Of class http, from the columns of PULSE_HOST.
HostOfJob host(const pg::Row &row, std::string_view channel, int column) {
    if (class_of(channel) != Class::kHttp) return {};
    if (row.is_null(column + 1)) return HostOfJob(host_of(channel, row.text(column), std::nullopt));
    const auto *stored = reinterpret_cast<const char *>(DatumGetPointer(row.datum(column + 1)));
    return HostOfJob::of_arguments({stored, VARSIZE_ANY(stored)});
}

// Of arguments that are as long as they like; nothing of them stays in memory.
std::string host_in(const std::string &stored) {
    static MemoryContext scratch = nullptr;
    const std::string_view args = pg::call([&] {
        if (scratch == nullptr) scratch = AllocSetContextCreate(TopMemoryContext, "arguments of one webhook", ALLOCSET_SMALL_SIZES);
        MemoryContextReset(scratch);  // an error may have left something
        const MemoryContext before = MemoryContextSwitchTo(scratch);
        const std::string_view text = pg::view(PointerGetDatum(stored.data()));
        MemoryContextSwitchTo(before);
        return text;
    });
    std::string name = host_of("webhook", {}, args);
    pg::call([] { MemoryContextReset(scratch); });
    return name;
}

// Their rows' copies are not kept until the end of the pass.
template <class Each>
void for_each(pg::Plan &plan, std::initializer_list<pg::Plan::Param> params, Each &&each) {
    plan.for_each(params, each);
    pg::call([] { SPI_freetuptable(SPI_tuptable); });
}

Candidate candidate(const pg::Row &row) {
    return {*reinterpret_cast<ItemPointer>(DatumGetPointer(row.datum(1))),
            row.int8(2),
            DatumGetTimestampTz(row.datum(3)),
            row.int4(4),
            row.int4(5),
            std::string(row.text(6)),
            row.int4(7),
            class_of(row.text(8)),
            optional_string(row, 9),
            host(row, row.text(8), 10)};
}

pg::Plan::Param param_time(TimestampTz at) { return {TIMESTAMPTZOID, TimestampTzGetDatum(at)}; }

Executing executing_row(const pg::Row &row) {
    return {{row.int8(1), row.int4(2)},
            std::string(row.text(3)),
            optional_string(row, 4),
            class_of(row.text(5)),
            host(row, row.text(5), 9),
            row.is_null(6) ? GetCurrentTimestamp() : DatumGetTimestampTz(row.datum(6)),
            row.is_null(7) ? DT_NOEND : DatumGetTimestampTz(row.datum(7)),
            row.boolean(8),
            pg::call([&] { return toast_raw_datum_size(row.datum(11)); })};
}

#define PULSE_EXECUTING                                                                                                            \
    "j.id, j.attempt, j.queue, j.partition_key, j.channel, j.attempted_at, j.lease_until, j.cancelled_at IS NOT NULL, " PULSE_HOST \
    ", j.args"

}  // namespace

HostOfJob HostOfJob::of_arguments(std::string_view stored) {
    HostOfJob host;
    host.stored_ = stored;
    return host;
}

// What is stored elsewhere is not read again in each pass: its address in the table of large values is its name here.
const std::string &HostOfJob::name() const {
    constexpr std::size_t kMostKnown = 20'000;
    static std::unordered_map<std::string, std::string> known;
    if (stored_.empty()) return name_;
    const std::string stored = std::exchange(stored_, {});
    if (!VARATT_IS_EXTERNAL_ONDISK(stored.data())) return name_ = host_in(stored);
    if (const auto found = known.find(stored); found != known.end()) return name_ = found->second;
    name_ = host_in(stored);
    if (known.size() >= kMostKnown) known.clear();
    known.emplace(stored, name_);
    return name_;
}

std::vector<Candidate> peek(const LaneName &lane, const Place &from, int most) {
    static pg::Plan plan("SELECT " PULSE_CANDIDATE " FROM _pulse.jobs j WHERE j.queue = $1 AND j.priority = $2 "
                         "AND (j.run_at, j.id) >= ($3, $4) AND j.state IN ('available', 'scheduled', 'retryable') "
                         "ORDER BY j.queue, j.priority, j.run_at, j.id LIMIT $5");
    std::vector<Candidate> found;
    for_each(
        plan,
        {pg::param_text(lane.queue), pg::param_int4(lane.priority), param_time(from.run_at), pg::param_int8(from.id), pg::param_int8(most)},
        [&](const pg::Row &row) { found.push_back(candidate(row)); });
    return found;
}

std::optional<Candidate> first_of_key(const KeyName &name, std::int64_t from) {
    static pg::Plan plan("SELECT " PULSE_CANDIDATE " FROM _pulse.jobs j WHERE j.queue = $1 AND j.partition_key = $2 AND j.id >= $3 "
                         "AND j.partition_key IS NOT NULL AND j.state <> 'executing' ORDER BY j.queue, j.partition_key, j.id LIMIT 1");
    std::optional<Candidate> first;
    for_each(plan, {pg::param_text(name.queue), pg::param_text(name.key), pg::param_int8(from)},
             [&](const pg::Row &row) { first = candidate(row); });
    return first;
}

// Without a plan: the place of the row is known since the peek, and one UPDATE that waits for nobody is what a plan needs two scans, a lock
// and an UPDATE for.
std::vector<Claimed> claim(const std::vector<const Candidate *> &jobs, bool tell_kinds, const std::optional<Lease> &lease) {
    if (jobs.empty()) return {};
    std::vector<Claimed> claimed;
    claimed.reserve(jobs.size());
    const pg::OwnTable jobs_table("jobs");
    const pg::LatestSnapshot latest;
    pg::PlacedRows rows(jobs_table.get());
    using enum JobColumns::Number;
    int columns[] = {kState + 1, kAttempt + 1, kAttemptedAt + 1, kWorker + 1, kLeaseUntil + 1};
    Datum values[] = {pg::text_datum("executing"), 0, TimestampTzGetDatum(GetCurrentTimestamp()), 0, 0};
    bool nulls[std::size(values)] = {};
    if (lease) {
        values[3] = pg::text_datum(lease->worker);
        values[4] = TimestampTzGetDatum(lease->until);
    }
    const int count = lease ? 5 : 3;
    const TupleDesc desc = RelationGetDescr(jobs_table.get());
    for (const Candidate *job : jobs) {
        std::string_view kind;
        const bool ours = pg::call([&] {
            HeapTuple row = rows.fetch(job->row);
            bool null;
            if (row == nullptr || DatumGetInt64(heap_getattr(row, kId + 1, desc, &null)) != job->id) return false;
            if (tell_kinds) kind = pg::view(heap_getattr(row, kKind + 1, desc, &null));
            values[1] = Int32GetDatum(job->attempt + 1);
            return rows.update(job->row, count, columns, values, nulls);
        });
        if (ours) claimed.push_back({{job->id, job->attempt + 1, row_number(rows.made_at())}, std::string(kind)});
    }
    pg::call([] { CommandCounterIncrement(); });
    return claimed;
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
    for_each(plan, {}, [&](const pg::Row &row) { found.push_back(executing_row(row)); });
    return found;
}

std::vector<Executing> executing(const std::vector<int64> &ids) {
    static pg::Plan plan("SELECT " PULSE_EXECUTING " FROM _pulse.jobs j WHERE j.id = ANY ($1) AND j.state = 'executing'");
    std::vector<Executing> found;
    if (ids.empty()) return found;
    for_each(plan, {pg::param_int8s(ids)}, [&](const pg::Row &row) { found.push_back(executing_row(row)); });
    return found;
}

std::vector<Executing> lock_executing(const std::vector<int64> &ids) {
    static pg::Plan plan("SELECT " PULSE_EXECUTING
                         " FROM _pulse.jobs j WHERE j.id = ANY ($1) AND j.state = 'executing' FOR UPDATE SKIP LOCKED");
    std::vector<Executing> found;
    if (ids.empty()) return found;
    for_each(plan, {pg::param_int8s(ids)}, [&](const pg::Row &row) { found.push_back(executing_row(row)); });
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
