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

Interval interval_of(const std::string &text) {
    return pg::call([&] {
        return *DatumGetIntervalP(
            DirectFunctionCall3(interval_in, CStringGetDatum(text.c_str()), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
    });
}

void check_qualified(const std::optional<std::string> &function) {
    if (function && !is_qualified(*function))
        refuse({"function \"" + names::excerpt(*function) + "\" is named without its schema", "Write it as schema.name, without quotes."});
}

// What the arguments say, against the trigger's table.
struct RowJob {
    pg::OwnedMemory memory{CacheMemoryContext, "pulse job trigger"};
    JobOptions options;  // as far as they are the same for each row
    std::optional<int32> max_attempts;
    std::optional<std::string> function;
    JsonNode args;
    std::optional<TextTemplate> unique_key, partition_key;
    std::vector<std::pair<size_t, std::string>> where;  // a placeholder's value, and what it must be
    bool skips_restored;
    Interval timeout;
    std::optional<Interval> delay;
    std::optional<Sources> sources;

    RowJob(const RowSpec &spec, Relation relation)
        : max_attempts(spec.max_attempts), function(spec.function), skips_restored(spec.skips_restored) {
        check_qualified(spec.function);
        check_qualified(spec.on_end);
        options.queue = spec.queue;
        options.kind = spec.kind;
        options.priority = spec.priority;
        options.mode = mode_of(spec.unique_mode);
        options.on_end = spec.on_end;
        timeout = interval_of(spec.timeout);
        options.timeout = PointerGetDatum(&timeout);
        if (spec.delay) delay = interval_of(*spec.delay);
        Placeholders placeholders;
        if (spec.args)
            require(parse_payload(*spec.args, placeholders, args, "args"));
        else
            args = whole_row(relation, placeholders);
        for (const auto &[text, into] : {std::pair{&spec.unique_key, &unique_key}, {&spec.partition_key, &partition_key}})
            if (*text) require(parse_text(**text, placeholders, into->emplace()));
        for (const auto &[column, text] : spec.where)
            where.emplace_back(static_cast<size_t>(placeholders.add({RowOf::kCurrent, column})), text);
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

void enqueue(const TriggerData *trigger) {
    const auto made = row_job(trigger);
    if (made->skips_restored && !row_security) return;  // the scripts of pg_dump switch it off
    const FiredRows rows(trigger);
    const std::vector<Rendered> values = made->sources->render(rows);
    for (const auto &[value, text] : made->where)
        if (values[value].null || values[value].text != text) return;
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

// Whoever writes the row, or owns the pack's function: a trigger is no way around the right to enqueue.
void check_right(Oid function) {
    pg::call([=] {
        if (pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE) != ACLCHECK_OK)
            ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied for function %s", get_func_name(function)),
                            errhint("Who writes the row enqueues the job: grant it pulse_publisher.")));
    });
}

}  // namespace

}  // namespace pulse::queue

PULSE_FN(pulse_enqueue_row) {
    using namespace pulse;
    const TriggerData *trigger = rows::fired(fcinfo, "pulse.enqueue_row", queue::kHint);
    try {
        queue::check_right(fcinfo->flinfo->fn_oid);
        queue::enqueue(trigger);
    } catch (const pg::Error &error) {
        throw pg::Error(rows::explain(error.raised(), trigger, "DROP TRIGGER and CREATE TRIGGER again with today's columns."));
    }
    return PointerGetDatum(nullptr);
}
