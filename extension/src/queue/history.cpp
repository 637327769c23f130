// One DELETE for a batch, and its rows written straight into the slot's table: an INSERT that reads a DELETE would keep each row twice in
// between, and its plan would look for the batch's other values row by row.
#include "queue/history.hpp"

#include "guc.hpp"
#include "pg/heap.hpp"
#include "queue/errors.hpp"

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

    // `gone` has the columns of the DELETE below.
    void write(const Ended &ended, const pg::Row &gone) {
        pg::call([&] {
            const MemoryContext before = MemoryContextSwitchTo(inserter_.row_memory());
            std::fill(std::begin(nulls_), std::end(nulls_), true);
            set(kSlot, Int16GetDatum(slot_));
            static constexpr Column kKept[] = {kId,           kQueue,     kKind,        kArgs,   kFunction,  kPriority,  kRunAt,
                                               kMaxAttempts,  kUniqueKey, kTimeout,     kRole,   kLastError, kCreatedAt, kChannel,
                                               kPartitionKey, kOnEnd,     kTraceparent, kWorker, kErrors};
            int n = 0;
            for (const Column column : kKept) values_[column] = SPI_getbinval(gone.tuple(), SPI_tuptable->tupdesc, ++n, &nulls_[column]);
            const Outcome &outcome = ended.outcome;
            set(kState, text(outcome.what == Outcome::kCompleted ? "completed" : "cancelled"));
            set(kAttempt, Int32GetDatum(ended.attempt->attempt));
            set(kAttemptedAt, TimestampTzGetDatum(ended.started_at));
            set(kFinishedAt, TimestampTzGetDatum(ended.finished_at));
            if (!outcome.error.empty()) set(kLastError, text(short_error(outcome.error)));
            if (!ended.attempt->worker.empty()) set(kWorker, text(ended.attempt->worker));
            if (outcome.result_json && outcome.result_json->size() <= kMostResultBytes) set(kResult, text(*outcome.result_json));
            inserter_.insert(values_, nulls_, kColumns);
            MemoryContextSwitchTo(before);
        });
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

std::vector<int64> to_history(const std::vector<const Ended *> &ended) {
    static pg::Plan remove(
        "DELETE FROM _pulse.jobs j WHERE j.id = ANY ($1) AND j.attempt = $2 AND j.state = 'executing' "
        "RETURNING j.id, j.queue, j.kind, j.args, j.function, j.priority, j.run_at, j.max_attempts, j.unique_key, j.timeout, j.role, "
        "j.last_error, j.created_at, j.channel, j.partition_key, j.on_end, j.traceparent, j.worker, j.errors");
    if (ended.empty()) return {};
    // Nearly all of them are first attempts.
    std::map<int, std::vector<int64>> by_attempt;
    std::unordered_map<int64, const Ended *> by_id;
    for (const Ended *one : ended) {
        by_attempt[one->attempt->attempt].push_back(one->attempt->id);
        by_id.emplace(one->attempt->id, one);
    }
    std::optional<HistoryWriter> writer;
    if (guc::job_retention > 0) writer.emplace(history_slot(GetCurrentTimestamp()));
    std::vector<int64> gone;
    for (const auto &[attempt, ids] : by_attempt)
        remove.for_each({pg::param_int8s(ids), pg::param_int4(attempt)}, [&](const pg::Row &row) {
            gone.push_back(row.int8(1));
            if (writer) writer->write(*by_id.at(gone.back()), row);
        });
    return gone;
}

}  // namespace pulse::queue
