// A claim tells where it has put the row: there it is read without a query. What lies elsewhere by now is found by its id.
#include "queue/load.hpp"

#include "pg/heap.hpp"
#include "queue/job_columns.hpp"
#include "queue/plans.hpp"

#include <algorithm>
#include <memory>
#include <unordered_map>

namespace pulse::queue {

namespace {

// The columns of a row of _pulse.jobs, as far as they are read.
struct Columns {
    std::vector<Datum> values;
    std::unique_ptr<bool[]> nulls;

    explicit Columns(TupleDesc desc)
        : values(static_cast<std::size_t>(desc->natts)), nulls(std::make_unique<bool[]>(static_cast<std::size_t>(desc->natts))) {}
    Datum operator[](int column) const { return values[static_cast<std::size_t>(column)]; }
    std::string_view text(int column) const { return pg::view((*this)[column]); }
    std::optional<std::string> optional_text(int column) const {
        if (nulls[static_cast<std::size_t>(column)]) return std::nullopt;
        return std::string(text(column));
    }
};

Attempt attempt_of(const Columns &row, std::string_view worker) {
    using enum JobColumns::Number;
    Attempt job;
    job.id = DatumGetInt64(row[kId]);
    job.attempt = DatumGetInt32(row[kAttempt]);
    job.max_attempts = DatumGetInt32(row[kMaxAttempts]);
    job.priority = DatumGetInt32(row[kPriority]);
    job.queue = row.text(kQueue);
    job.kind = row.text(kKind);
    job.channel = row.text(kChannel);
    job.role = row.text(kRole);
    job.args = row.text(kArgs);
    job.function = row.optional_text(kFunction);
    job.unique_key = row.optional_text(kUniqueKey);
    job.partition_key = row.optional_text(kPartitionKey);
    job.on_end = row.optional_text(kOnEnd);
    job.traceparent = row.optional_text(kTraceparent);
    job.errors = row.optional_text(kErrors);
    const Interval *timeout = DatumGetIntervalP(row[kTimeout]);
    job.timeout_ms = static_cast<long>((timeout->time + timeout->day * USECS_PER_DAY) / 1000);  // it has no months
    job.worker = worker.empty() ? row.optional_text(kWorker).value_or("") : std::string(worker);
    return job;
}

// Reads the rows that lie where they are said to.
void load_by_place(std::span<const AttemptId> ids, std::string_view worker, std::vector<std::optional<Attempt>> &found) {
    using enum JobColumns::Number;
    if (std::all_of(ids.begin(), ids.end(), [](const AttemptId &id) { return id.row == 0; })) return;
    const pg::OwnTable table("jobs");
    const pg::LatestSnapshot latest;
    pg::PlacedRows rows(table.get());
    const TupleDesc desc = RelationGetDescr(table.get());
    Columns columns(desc);
    for (std::size_t n = 0; n < ids.size(); ++n) {
        if (ids[n].row == 0) continue;
        const bool read = pg::call([&] {
            HeapTuple row = rows.fetch(row_place(ids[n].row));
            if (row != nullptr) heap_deform_tuple(row, desc, columns.values.data(), columns.nulls.get());
            return row != nullptr;
        });
        if (!read || DatumGetInt64(columns[kId]) != ids[n].id || DatumGetInt32(columns[kAttempt]) != ids[n].attempt ||
            columns.text(kState) != "executing")
            continue;
        found[n] = attempt_of(columns, worker);
        found[n]->row = ids[n].row;
    }
}

void load_by_id(std::span<const AttemptId> ids, std::string_view worker, std::vector<std::optional<Attempt>> &found) {
    using enum JobColumns::Number;
    static pg::Plan read("SELECT j.* FROM _pulse.jobs j WHERE j.id = ANY ($1) AND j.state = 'executing'");
    std::vector<int64> wanted;
    std::unordered_map<std::int64_t, std::size_t> place;
    for (std::size_t n = 0; n < ids.size(); ++n) {
        if (found[n]) continue;
        place.emplace(ids[n].id, n);
        wanted.push_back(ids[n].id);
    }
    if (wanted.empty()) return;
    const PinnedPlans pinned;
    read.for_each({pg::param_int8s(wanted)}, [&](const pg::Row &row) {
        const TupleDesc desc = SPI_tuptable->tupdesc;
        Columns columns(desc);
        pg::call([&] { heap_deform_tuple(row.tuple(), desc, columns.values.data(), columns.nulls.get()); });
        const std::size_t n = place.at(DatumGetInt64(columns[kId]));
        if (ids[n].attempt == DatumGetInt32(columns[kAttempt])) found[n] = attempt_of(columns, worker);
    });
}

}  // namespace

std::vector<Attempt> load(std::span<const AttemptId> ids, std::string_view worker) {
    std::vector<std::optional<Attempt>> found(ids.size());
    load_by_place(ids, worker, found);
    load_by_id(ids, worker, found);
    std::vector<Attempt> jobs;
    for (auto &job : found)
        if (job) jobs.push_back(*std::move(job));
    return jobs;
}

}  // namespace pulse::queue
