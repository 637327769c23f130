// Jobs without a unique key go straight into the table: no plan, no snapshot (as events, decisions/0005). Those with one take an
// INSERT … ON CONFLICT, since another transaction may be storing the same key.
#include "queue/store.hpp"

#include "pg/heap.hpp"
#include "pg/memory.hpp"
#include "pg/run_as.hpp"
#include "pg/spi.hpp"
#include "queue/events.hpp"
#include "queue/job_columns.hpp"
#include "queue/job_table.hpp"
#include "queue/news.hpp"

#include <algorithm>
#include <unordered_map>

namespace pulse::queue {

namespace {

using enum JobColumns::Number;
using Number = JobColumns::Number;

const char *state_at(TimestampTz run_at, TimestampTz now) { return run_at > now ? "scheduled" : "available"; }

void require_writable() {
    if (RecoveryInProgress())
        pg::fail(ERRCODE_READ_ONLY_SQL_TRANSACTION, "cannot enqueue on a standby", {}, "Enqueue on the primary server.");
    if (XactReadOnly)
        pg::fail(ERRCODE_READ_ONLY_SQL_TRANSACTION, "cannot enqueue in a read-only transaction", {},
                 "Enqueue in a READ WRITE transaction; a function that enqueues must be VOLATILE.");
    if (IsInParallelMode())
        pg::fail(ERRCODE_INVALID_TRANSACTION_STATE, "cannot enqueue in a parallel operation", {},
                 "Mark the calling function PARALLEL UNSAFE.");
}

// The row that the options make; each job changes what is its own.
class RowWriter {
public:
    explicit RowWriter(const JobOptions &options)
        : now_(GetCurrentTimestamp()), shape_(options.run_at > now_ ? table_->scheduled : table_->available),
          memory_(CurrentMemoryContext, "pulse job") {
        std::fill(std::begin(nulls_), std::end(nulls_), true);
        set(kQueue, pg::text_datum(options.queue));
        set(kKind, pg::text_datum(options.kind));
        set(kState, pg::text_datum(state_at(options.run_at, now_)));
        set(kPriority, Int32GetDatum(options.priority));
        set(kRunAt, TimestampTzGetDatum(options.run_at));
        set(kAttempt, Int32GetDatum(0));
        set(kMaxAttempts, Int32GetDatum(options.max_attempts));
        set(kTimeout, options.timeout);
        set(kRole, pg::text_datum(options.role));
        set(kCreatedAt, TimestampTzGetDatum(now_));
        set(kChannel, pg::text_datum(options.channel));
        set_text(kOnEnd, options.on_end);
        set_text(kTraceparent, options.traceparent);
    }

    int64 write(const NewJob &job) {
        const bool quick = is_quick(job);
        if (quick && !quick_) quick_.emplace(shape_, table_.get());
        if (!quick && !general_) general_.emplace(table_.get());
        return pg::call([&] {
            CHECK_FOR_INTERRUPTS();
            const MemoryContext before = MemoryContextSwitchTo(memory_.get());
            const int64 id = nextval_internal(table_->ids, false);
            set(kId, Int64GetDatum(id));
            set_text(kArgs, std::optional(job.args));
            set_text(kFunction, job.function);
            set_text(kPartitionKey, job.partition_key);
            if (quick)
                quick_->insert(values_, nulls_);
            else
                general_->insert(values_, nulls_, kJobColumns);
            MemoryContextSwitchTo(before);
            MemoryContextReset(memory_.get());
            return id;
        });
    }

private:
    // A partition key enters an index of its own. (Those with a unique key do not come here.)
    bool is_quick(const NewJob &job) const {
        return shape_.is_known() && !job.partition_key && RelationGetNumberOfAttributes(table_.get()) == kJobColumns;
    }
    void set(Number column, Datum value) {
        values_[column] = value;
        nulls_[column] = false;
    }
    template <class Text>
    void set_text(Number column, const std::optional<Text> &text) {
        nulls_[column] = !text;
        if (text) values_[column] = PointerGetDatum(cstring_to_text_with_len(text->data(), static_cast<int>(text->size())));
    }

    TimestampTz now_;
    OpenJobTable table_;
    const pg::Shape &shape_;
    std::optional<pg::Shape::Target> quick_;
    std::optional<pg::Inserter> general_;
    pg::OwnedMemory memory_;
    Datum values_[kJobColumns] = {};
    bool nulls_[kJobColumns];
};

void tell(const JobOptions &options, const std::vector<int64> &ids) {
    if (ids.empty()) return;
    // A row that keeps its run_at may wait since long ago, and have come from another lane.
    const bool kept = options.mode == UniqueMode::kKeepRunAt;
    tell_waiting(options.queue, options.priority, options.channel, kept ? DT_NOBEGIN : options.run_at,
                 kept ? 0 : *std::min_element(ids.begin(), ids.end()));
    if (!options.events) return;
    const pg::OwnerScope scope(job_table_owner());
    const pg::SpiSession spi;
    const char *state = state_at(options.run_at, GetCurrentTimestamp());
    for (const int64 id : ids) publish_change(options.queue, "job:enqueued", id, options.kind, state, 0);
}

#define PULSE_INSERT_KEYED(source)                                                                                                    \
    "INSERT INTO _pulse.jobs AS j (queue, kind, priority, run_at, max_attempts, timeout, role, channel, on_end, traceparent, state, " \
    "args, function, unique_key, partition_key) "                                                                                     \
    "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, CASE WHEN $4 > clock_timestamp() THEN 'scheduled' ELSE 'available' END, " source \
    " ON CONFLICT (queue, unique_key, role) WHERE unique_key IS NOT NULL AND state IN ('available', 'scheduled', 'retryable') DO "
#define PULSE_ONE "$11::json, $12, $13, $14"
#define PULSE_MANY                                                                                                                 \
    "n.args::json, n.function, n.unique_key, n.partition_key FROM ROWS FROM (unnest($11), unnest($12), unnest($13), unnest($14)) " \
    "WITH ORDINALITY AS n (args, function, unique_key, partition_key, n) ORDER BY n.n"
#define PULSE_KEEP "NOTHING RETURNING j.id"
// Attempts only grow, so that the end of an earlier one never counts for what took its place.
#define PULSE_REPLACE                                                                                                             \
    "UPDATE SET kind = excluded.kind, args = excluded.args, function = excluded.function, priority = excluded.priority, "         \
    "run_at = CASE WHEN $15 THEN j.run_at ELSE excluded.run_at END, state = CASE WHEN $15 THEN j.state ELSE excluded.state END, " \
    "max_attempts = j.attempt + excluded.max_attempts, timeout = excluded.timeout, channel = excluded.channel, "                  \
    "partition_key = excluded.partition_key, on_end = excluded.on_end, traceparent = excluded.traceparent, last_error = NULL "    \
    "RETURNING j.id"

// Jobs with unique keys, all different, in one statement. Appends the ids of what was written.
void insert_keyed(const JobOptions &options, const std::vector<NewJob> &jobs, std::vector<int64> &written) {
    static pg::Plan keep_one(PULSE_INSERT_KEYED(PULSE_ONE) PULSE_KEEP), replace_one(PULSE_INSERT_KEYED(PULSE_ONE) PULSE_REPLACE),
        keep_many(PULSE_INSERT_KEYED(PULSE_MANY) PULSE_KEEP), replace_many(PULSE_INSERT_KEYED(PULSE_MANY) PULSE_REPLACE);
    const bool one = jobs.size() == 1, keep = options.mode == UniqueMode::kKeep;
    const auto own = [&](auto &&of_job) {
        std::vector<std::optional<std::string_view>> values;
        for (const NewJob &job : jobs) values.push_back(of_job(job));
        if (!one) return pg::Plan::Param{TEXTARRAYOID, pg::text_array_datum(values)};
        const auto &value = values.front();
        return value ? pg::param_text(*value) : pg::Plan::Param{TEXTOID, Datum(0), true};
    };
    const pg::Plan::Param queue = pg::param_text(options.queue), kind = pg::param_text(options.kind),
                          priority = pg::param_int4(options.priority), run_at{TIMESTAMPTZOID, TimestampTzGetDatum(options.run_at)},
                          attempts = pg::param_int4(options.max_attempts), timeout{INTERVALOID, options.timeout},
                          role = pg::param_text(options.role), channel = pg::param_text(options.channel),
                          on_end = pg::param_text(options.on_end), traceparent = pg::param_text(options.traceparent),
                          args = own([](const NewJob &job) { return std::optional(job.args); }),
                          function = own([](const NewJob &job) { return job.function; }),
                          unique_key = own([](const NewJob &job) { return job.unique_key; }),
                          partition_key = own([](const NewJob &job) { return job.partition_key; }),
                          at_its_time{BOOLOID, BoolGetDatum(options.mode == UniqueMode::kKeepRunAt)};
    const auto each = [&](const pg::Row &row) { written.push_back(row.int8(1)); };
    if (keep)
        (one ? keep_one : keep_many)
            .for_each({queue, kind, priority, run_at, attempts, timeout, role, channel, on_end, traceparent, args, function, unique_key,
                       partition_key},
                      each);
    else
        (one ? replace_one : replace_many)
            .for_each({queue, kind, priority, run_at, attempts, timeout, role, channel, on_end, traceparent, args, function, unique_key,
                       partition_key, at_its_time},
                      each);
}
#undef PULSE_INSERT_KEYED
#undef PULSE_ONE
#undef PULSE_MANY
#undef PULSE_KEEP
#undef PULSE_REPLACE

int64 store_keyed(const JobOptions &options, const NewJob &job) {
    static pg::Plan waiting("SELECT id FROM _pulse.jobs WHERE queue = $1 AND unique_key = $2 AND role = $3 "
                            "AND state IN ('available', 'scheduled', 'retryable')");
    std::vector<int64> ids;
    {
        const pg::OwnerScope scope(job_table_owner());
        const pg::SpiSession spi;
        // Again when the job that held the key was claimed between the two statements.
        for (int tries = 0; tries < 10; ++tries) {
            insert_keyed(options, {job}, ids);
            if (!ids.empty()) break;
            if (waiting.run({pg::param_text(options.queue), pg::param_text(*job.unique_key), pg::param_text(options.role)}) > 0)
                return pg::result_row().int8(1);
        }
    }
    if (ids.empty()) pg::fail(ERRCODE_T_R_SERIALIZATION_FAILURE, "jobs with this unique_key come and go too fast");
    tell(options, ids);
    return ids.front();
}

// Of several with one key, replacing means the last, any other the first.
std::vector<NewJob> without_doubles(const std::vector<NewJob> &jobs, UniqueMode mode) {
    std::unordered_map<std::string_view, size_t> places;
    std::vector<NewJob> kept;
    for (const NewJob &job : jobs) {
        const auto [place, added] = places.try_emplace(*job.unique_key, kept.size());
        if (added)
            kept.push_back(job);
        else if (mode != UniqueMode::kKeep)
            kept[place->second] = job;
    }
    return kept;
}

}  // namespace

int64 store(const JobOptions &options, const NewJob &job) {
    require_writable();
    if (job.unique_key) return store_keyed(options, job);
    int64 id;
    {
        RowWriter writer(options);
        id = writer.write(job);
    }
    tell(options, {id});
    return id;
}

int64 store_many(const JobOptions &options, const std::vector<NewJob> &jobs) {
    require_writable();
    if (jobs.empty()) return 0;
    std::vector<int64> ids;
    ids.reserve(jobs.size());
    if (jobs.front().unique_key) {
        const pg::OwnerScope scope(job_table_owner());
        const pg::SpiSession spi;
        insert_keyed(options, without_doubles(jobs, options.mode), ids);
    } else {
        RowWriter writer(options);
        for (const NewJob &job : jobs) ids.push_back(writer.write(job));
    }
    tell(options, ids);
    return static_cast<int64>(ids.size());
}

}  // namespace pulse::queue
