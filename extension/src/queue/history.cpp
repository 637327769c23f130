// Rows are taken from where they lie and written straight into the slot's table, without a plan. Where somebody has changed or locked one
// since it was read, one DELETE by ids waits for them.
#include "queue/history.hpp"

#include "guc.hpp"
#include "pg/heap.hpp"
#include "queue/errors.hpp"
#include "queue/job_columns.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace pulse::queue {

namespace {

constexpr std::size_t kMostResultBytes = 8 * 1024;

// The columns of _pulse.job_history, in its order.
enum Column {
    kSlot,
    kId,
    kQueue,
    kKind,
    kArgs,
    kFunction,
    kState,
    kPriority,
    kRunAt,
    kAttempt,
    kMaxAttempts,
    kUniqueKey,
    kTimeout,
    kRole,
    kLastError,
    kCreatedAt,
    kAttemptedAt,
    kChannel,
    kPartitionKey,
    kOnEnd,
    kTraceparent,
    kWorker,
    kErrors,
    kFinishedAt,
    kResult,
    kColumns
};

class HistoryWriter {
public:
    explicit HistoryWriter(int16 slot) : slot_(slot), table_(("job_history_" + std::to_string(slot)).c_str()), inserter_(table_.get()) {}

    // `job` is its row of _pulse.jobs.
    void write(const Ended &ended, HeapTuple job, TupleDesc desc) {
        pg::call([&] {
            const MemoryContext before = MemoryContextSwitchTo(inserter_.row_memory());
            auto *values = static_cast<Datum *>(palloc(sizeof(Datum) * static_cast<size_t>(desc->natts)));
            auto *nulls = static_cast<bool *>(palloc(sizeof(bool) * static_cast<size_t>(desc->natts)));
            heap_deform_tuple(job, desc, values, nulls);
            std::fill(std::begin(nulls_), std::end(nulls_), true);
            set(kSlot, Int16GetDatum(slot_));
            using Job = JobColumns;
            static constexpr std::pair<Column, Job::Number> kKept[] = {{kId, Job::kId},
                                                                       {kQueue, Job::kQueue},
                                                                       {kKind, Job::kKind},
                                                                       {kArgs, Job::kArgs},
                                                                       {kFunction, Job::kFunction},
                                                                       {kPriority, Job::kPriority},
                                                                       {kRunAt, Job::kRunAt},
                                                                       {kMaxAttempts, Job::kMaxAttempts},
                                                                       {kUniqueKey, Job::kUniqueKey},
                                                                       {kTimeout, Job::kTimeout},
                                                                       {kRole, Job::kRole},
                                                                       {kLastError, Job::kLastError},
                                                                       {kCreatedAt, Job::kCreatedAt},
                                                                       {kChannel, Job::kChannel},
                                                                       {kPartitionKey, Job::kPartitionKey},
                                                                       {kOnEnd, Job::kOnEnd},
                                                                       {kTraceparent, Job::kTraceparent},
                                                                       {kWorker, Job::kWorker},
                                                                       {kErrors, Job::kErrors}};
            for (const auto &[to, from] : kKept) {
                values_[to] = values[from];
                nulls_[to] = nulls[from];
            }
            const Outcome &outcome = ended.outcome;
            set(kState, text(outcome.what == Outcome::kCompleted ? "completed" : "cancelled"));
            set(kAttempt, Int32GetDatum(ended.attempt->attempt));
            set(kAttemptedAt, TimestampTzGetDatum(ended.started_at));
            set(kFinishedAt, TimestampTzGetDatum(ended.finished_at));
            if (!outcome.error.empty()) set(kLastError, text(short_error(outcome.error)));
            if (!ended.attempt->worker.empty()) set(kWorker, text(ended.attempt->worker));
            if (outcome.result_json && outcome.result_json->size() <= kMostResultBytes) set(kResult, text(*outcome.result_json));
            MemoryContextSwitchTo(before);
            inserter_.add(values_, nulls_, kColumns);
        });
    }
    // After the last.
    void flush() {
        pg::call([&] { inserter_.flush(); });
    }

private:
    static Datum text(std::string_view bytes) {
        return PointerGetDatum(cstring_to_text_with_len(bytes.data(), static_cast<int>(bytes.size())));
    }
    void set(Column column, Datum value) {
        values_[column] = value;
        nulls_[column] = false;
    }

    int16 slot_;
    pg::OwnTable table_;
    pg::Inserter inserter_;
    Datum values_[kColumns] = {};
    bool nulls_[kColumns] = {};
};

}  // namespace

int16 history_slot(TimestampTz at) {
    const int64 seconds = at / USECS_PER_SEC + int64{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * SECS_PER_DAY;
    return static_cast<int16>(seconds / std::max(guc::job_retention, 1) % 3);
}

namespace {

// Takes away the rows that lie where they were read, and tells each; the others are returned.
template <class Gone>
std::vector<const Ended *> remove_by_place(const std::vector<const Ended *> &ended, Gone &&gone) {
    if (std::all_of(ended.begin(), ended.end(), [](const Ended *one) { return one->attempt->row == 0; })) return ended;
    using Job = JobColumns;
    std::vector<const Ended *> others;
    const pg::OwnTable table("jobs");
    const TupleDesc desc = RelationGetDescr(table.get());
    const pg::LatestSnapshot latest;
    pg::PlacedRows rows(table.get());
    for (const Ended *one : ended) {
        const Attempt &job = *one->attempt;
        HeapTuple row = job.row == 0 ? nullptr : pg::call([&]() -> HeapTuple {
            const ItemPointerData place = row_place(job.row);
            HeapTuple found = rows.fetch(place);
            bool null;
            const auto is = [&](int column) { return heap_getattr(found, column + 1, desc, &null); };
            const bool ours = found != nullptr && DatumGetInt64(is(Job::kId)) == job.id &&
                              DatumGetInt32(is(Job::kAttempt)) == job.attempt && pg::view(is(Job::kState)) == "executing" &&
                              rows.remove(place);
            return ours ? found : nullptr;
        });
        if (row != nullptr)
            gone(*one, row, desc);
        else
            others.push_back(one);
    }
    pg::call([] { CommandCounterIncrement(); });
    return others;
}

}  // namespace

std::vector<int64> to_history(const std::vector<const Ended *> &ended) {
    static pg::Plan remove("DELETE FROM _pulse.jobs j WHERE j.id = ANY ($1) AND j.attempt = $2 AND j.state = 'executing' RETURNING j.*");
    if (ended.empty()) return {};
    std::optional<HistoryWriter> writer;
    if (guc::job_retention > 0) writer.emplace(history_slot(GetCurrentTimestamp()));
    std::vector<int64> gone;
    const auto move = [&](const Ended &one, HeapTuple row, TupleDesc desc) {
        gone.push_back(one.attempt->id);
        if (writer) writer->write(one, row, desc);
    };
    // Nearly all of them are first attempts.
    std::map<int, std::vector<int64>> by_attempt;
    std::unordered_map<int64, const Ended *> by_id;
    for (const Ended *one : remove_by_place(ended, move)) {
        by_attempt[one->attempt->attempt].push_back(one->attempt->id);
        by_id.emplace(one->attempt->id, one);
    }
    for (const auto &[attempt, ids] : by_attempt)
        remove.for_each({pg::param_int8s(ids), pg::param_int4(attempt)},
                        [&](const pg::Row &row) { move(*by_id.at(row.int8(1)), row.tuple(), SPI_tuptable->tupdesc); });
    if (writer) writer->flush();
    return gone;
}

}  // namespace pulse::queue
