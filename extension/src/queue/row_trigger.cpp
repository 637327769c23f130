// pulse.enqueue_row: the AFTER ROW trigger that makes a job of a row. A pack declares a SECURITY DEFINER function of its own over this
// symbol, whose jobs are the pack's whoever writes the row; so nothing here is looked up by the search_path of the session.
#include "json/slice.hpp"
#include "pg/interval.hpp"
#include "pg/memory.hpp"
#include "queue/function.hpp"
#include "queue/row_spec.hpp"
#include "queue/store.hpp"
#include "rows/sources.hpp"
#include "rows/trigger_cache.hpp"

namespace pulse::queue {

namespace {

using namespace rows;

constexpr const char *kHint = "CREATE TRIGGER … AFTER INSERT ON … FOR EACH ROW EXECUTE FUNCTION pulse.enqueue_row('queue=…', …).";

[[noreturn]] void refuse(const Problem &problem) { pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem.message, {}, problem.hint); }
void require(const std::optional<Problem> &problem) {
    if (problem) refuse(*problem);
}

Interval interval_of(const char *argument, const std::string &text, const char *accepted) {
    try {
        return pg::call([&] {
            return *DatumGetIntervalP(
                DirectFunctionCall3(interval_in, CStringGetDatum(text.c_str()), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
        });
    } catch (const pg::Error &error) {
        const int code = error.raised().sqlstate;
        if (ERRCODE_TO_CATEGORY(code) != ERRCODE_DATA_EXCEPTION) throw;
        pg::fail(code,
                 std::string(argument) + " \"" + names::excerpt(text) + "\" is " +
                     (code == ERRCODE_INVALID_DATETIME_FORMAT ? "no interval" : "out of range"),
                 {}, accepted);
    }
}

constexpr const char *kTimeout = "It is an interval of a millisecond to 7 days, as '30 s'.";
constexpr const char *kDelay = "It is an interval of 0 to 100 years, as '5 min'.";
constexpr int64 kLongestDelay = int64{100} * 12 * 30 * USECS_PER_DAY;  // as intervals are compared

void check_delay(Interval &delay) {
    if (!pg::microseconds_of(PointerGetDatum(&delay), 0, kLongestDelay)) refuse({"delay is not between 0 and 100 years", kDelay});
}

void check_qualified(const std::optional<std::string> &function) {
    if (function && !is_qualified(*function))
        refuse({"function \"" + names::excerpt(*function) + "\" is named without its schema", "Write it as schema.name, without quotes."});
}

// What `where=` asks of a row: the text of a column. One of char(n) is compared as it is everywhere, without trailing blanks.
class Conditions {
public:
    Conditions(const RowSpec &spec, Relation relation, MemoryContext memory) {
        Placeholders placeholders;
        for (const auto &[column, text] : spec.where)
            all_.push_back({static_cast<size_t>(placeholders.add({RowOf::kCurrent, column})), text, false});
        columns_.emplace(placeholders, relation, kInsert | kUpdate | kDelete, memory);
        for (Condition &condition : all_) {
            condition.padded = columns_->type_of(condition.column) == BPCHAROID;
            if (condition.padded) condition.text = without_padding(condition.text);
        }
    }
    bool hold(const FiredRows &rows) {
        if (all_.empty()) return true;
        const std::vector<Rendered> values = columns_->render(rows);
        return std::all_of(all_.begin(), all_.end(), [&](const Condition &condition) {
            const Rendered &value = values[condition.column];
            return !value.null && (condition.padded ? without_padding(value.text) : std::string_view(value.text)) == condition.text;
        });
    }

private:
    struct Condition {
        size_t column;  // of columns_
        std::string text;
        bool padded;
    };
    static std::string_view without_padding(std::string_view text) { return text.substr(0, text.find_last_not_of(' ') + 1); }
    std::vector<Condition> all_;
    std::optional<Sources> columns_;
};

// What the arguments say, against the trigger's table.
struct RowJob {
    pg::OwnedMemory memory{CacheMemoryContext, "pulse job trigger"};
    JobOptions options;  // as far as they are the same for each row
    std::optional<int32> max_attempts;
    std::optional<std::string> function;
    JsonNode args;
    std::optional<TextTemplate> unique_key, partition_key;
    bool skips_restored;
    Interval timeout;
    std::optional<Interval> delay;
    Conditions where;
    std::optional<Sources> sources;

    RowJob(const RowSpec &spec, Relation relation)
        : max_attempts(spec.max_attempts), function(spec.function), skips_restored(spec.skips_restored),
          where(spec, relation, memory.get()) {
        check_qualified(spec.function);
        check_qualified(spec.on_end);
        options.queue = spec.queue;
        options.kind = spec.kind;
        options.priority = spec.priority;
        options.mode = mode_of(spec.unique_mode);
        options.on_end = spec.on_end;
        timeout = interval_of("timeout", spec.timeout, kTimeout);
        options.timeout = PointerGetDatum(&timeout);
        if (spec.delay) check_delay(delay.emplace(interval_of("delay", *spec.delay, kDelay)));
        Placeholders placeholders;
        if (spec.args)
            require(parse_payload(*spec.args, placeholders, args, "args"));
        else
            args = whole_row(relation, placeholders);
        for (const auto &[text, into] : {std::pair{&spec.unique_key, &unique_key}, {&spec.partition_key, &partition_key}})
            if (*text) require(parse_text(**text, placeholders, into->emplace()));
        sources.emplace(placeholders, relation, kInsert | kUpdate | kDelete, memory.get());
    }
};

TriggerCache<RowJob> cache;

std::shared_ptr<RowJob> row_job(const TriggerData *trigger) {
    if (auto known = cache.find(trigger)) return known;
    RowSpec spec;
    require(from_arguments(arguments_of(trigger), spec));
    auto made = std::make_shared<RowJob>(spec, trigger->tg_relation);
    cache.keep(trigger, made);
    return made;
}

TimestampTz run_at(const std::optional<Interval> &delay) {
    const TimestampTz now = GetCurrentTransactionStartTimestamp();
    if (!delay) return now;
    Interval by = *delay;
    return pg::call(
        [&] { return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now), PointerGetDatum(&by))); });
}

// Whoever writes the row, or owns the pack's function: a trigger is no way around the right to enqueue.
void check_right(Oid function) {
    pg::call([=] {
        if (pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE) != ACLCHECK_OK)
            ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied for function %s", get_func_name(function)),
                            errhint("Who writes the row enqueues the job: grant it pulse_publisher.")));
    });
}

// A row that makes no job needs no right to make one, and fails by no value of one.
void enqueue(const TriggerData *trigger, Oid by) {
    const auto made = row_job(trigger);
    if (made->skips_restored && !row_security) return;  // the scripts of pg_dump switch it off
    const FiredRows rows(trigger);
    if (!made->where.hold(rows)) return;
    check_right(by);
    const std::vector<Rendered> values = made->sources->render(rows);
    std::string args, unique_key, partition_key;
    if (made->function) {
        args = "{\"function\":";
        json::append_quoted(args, *made->function);
        args += ",\"args\":";
    }
    render_json(made->args, values, args);
    if (made->function) args += '}';
    JobOptions options = made->options;
    options.run_at = run_at(made->delay);
    complete(options, made->max_attempts);
    NewJob job{args, std::nullopt, std::nullopt, std::nullopt};
    const auto function = made->function ? made->function : options.function;
    std::string checked;
    if (function) job.function = checked = check_function(*function);
    if (made->unique_key && render_text(*made->unique_key, values, unique_key)) {
        check_key("unique_key", unique_key);
        job.unique_key = unique_key;
    }
    if (made->partition_key && render_text(*made->partition_key, values, partition_key)) {
        check_partition_key("partition_key", partition_key);
        job.partition_key = partition_key;
    }
    (void)store(options, job);
}

}  // namespace

}  // namespace pulse::queue

PULSE_FN(pulse_enqueue_row) {
    using namespace pulse;
    const TriggerData *trigger = rows::fired(fcinfo, "pulse.enqueue_row", queue::kHint);
    try {
        queue::enqueue(trigger, fcinfo->flinfo->fn_oid);
    } catch (const pg::Error &error) {
        throw pg::Error(rows::explain(error.raised(), trigger, "DROP TRIGGER and CREATE TRIGGER again with today's columns."));
    }
    return PointerGetDatum(nullptr);
}
