// pulse.enqueue and pulse.enqueue_many: check everything now, so that a job that is stored can run.
#include "pg/run_as.hpp"
#include "pg/spi.hpp"
#include "queue/function.hpp"
#include "queue/store.hpp"

#include <unordered_map>

namespace pulse::queue {

namespace {

// The qualified function that a job runs or is built by. nullopt: it needs none.
std::optional<std::string> function_of(const JobOptions &options, std::string_view args) {
    if (options.kind == "sql") return check_function(function_in(args));
    if (options.function) return check_function(*options.function);
    return std::nullopt;
}

std::optional<std::string_view> key_argument(FunctionCallInfo fcinfo, int n, const char *name) {
    if (pg::arg_is_null(fcinfo, n)) return std::nullopt;
    const std::string_view key = pg::view(pg::arg(fcinfo, n));
    if (std::string_view(name) == "partition_key")
        check_partition_key(name, key);
    else
        check_key(name, key);
    return key;
}

Datum enqueue(FunctionCallInfo fcinfo) {
    enum { kQueue, kKind, kArgs, kPriority, kRunAt, kMaxAttempts, kUniqueKey, kTimeout, kUniqueMode, kPartitionKey, kOnEnd };
    require(fcinfo, kArgs, "args");
    const JobOptions options = read_options(fcinfo, {kQueue, kKind, kPriority, kRunAt, kMaxAttempts, kTimeout, kUniqueMode, kOnEnd});
    NewJob job{pg::view(pg::arg(fcinfo, kArgs)), std::nullopt, key_argument(fcinfo, kUniqueKey, "unique_key"),
               key_argument(fcinfo, kPartitionKey, "partition_key")};
    const auto function = function_of(options, job.args);
    job.function = function;
    return Int64GetDatum(store(options, job));
}

// The elements of an array argument, views into it.
std::vector<std::optional<std::string_view>> elements(FunctionCallInfo fcinfo, int n, Oid type) {
    struct {
        Datum *values;
        bool *nulls;
        int count, dimensions;
    } found{};
    pg::call([&] {
        ArrayType *array = DatumGetArrayTypeP(pg::arg(fcinfo, n));
        found.dimensions = ARR_NDIM(array);
        deconstruct_array(array, type, -1, false, TYPALIGN_INT, &found.values, &found.nulls, &found.count);
    });
    if (found.dimensions > 1)
        pg::fail(ERRCODE_ARRAY_SUBSCRIPT_ERROR, "an array of pulse.enqueue_many has more than one dimension", {},
                 "It has an element for each job.");
    std::vector<std::optional<std::string_view>> result(static_cast<size_t>(found.count));
    for (size_t i = 0; i < result.size(); ++i)
        if (!found.nulls[i]) result[i] = pg::view(found.values[i]);
    return result;
}

std::vector<std::optional<std::string_view>> keys_argument(FunctionCallInfo fcinfo, int n, const char *name, size_t jobs) {
    if (pg::arg_is_null(fcinfo, n)) return std::vector<std::optional<std::string_view>>(jobs);
    auto keys = elements(fcinfo, n, TEXTOID);
    if (keys.size() != jobs)
        pg::fail(ERRCODE_ARRAY_SUBSCRIPT_ERROR,
                 std::string(name) + " has " + std::to_string(keys.size()) + " elements for " + std::to_string(jobs) + " jobs", {},
                 "It has one for each job, in their order.");
    const std::string element = "an element of " + std::string(name);
    for (const auto &key : keys)
        if (key && std::string_view(name) == "partition_keys")
            check_partition_key(element.c_str(), *key);
        else if (key)
            check_key(element.c_str(), *key);
    return keys;
}

Datum enqueue_many(FunctionCallInfo fcinfo) {
    enum { kQueue, kKind, kArgs, kPriority, kRunAt, kMaxAttempts, kUniqueKeys, kTimeout, kUniqueMode, kPartitionKeys, kOnEnd };
    const JobOptions options = read_options(fcinfo, {kQueue, kKind, kPriority, kRunAt, kMaxAttempts, kTimeout, kUniqueMode, kOnEnd});
    if (pg::arg_is_null(fcinfo, kArgs)) return Int64GetDatum(0);  // array_agg over no rows
    const auto args = elements(fcinfo, kArgs, JSONOID);
    const auto unique_keys = keys_argument(fcinfo, kUniqueKeys, "unique_keys", args.size()),
               partition_keys = keys_argument(fcinfo, kPartitionKeys, "partition_keys", args.size());
    const bool keyed = !pg::arg_is_null(fcinfo, kUniqueKeys);
    std::unordered_map<std::string, std::string> functions;  // of kind sql: checked once each
    std::vector<NewJob> jobs;
    jobs.reserve(args.size());
    for (size_t i = 0; i < args.size(); ++i) {
        if (!args[i])
            pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "args of job " + std::to_string(i + 1) + " is null", {},
                     "Each element of args is one job; JSON's null is 'null'.");
        if (keyed && !unique_keys[i])
            pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "unique key of job " + std::to_string(i + 1) + " is null", {},
                     "Either every job has one, or none: leave unique_keys out.");
        NewJob job{*args[i], std::nullopt, unique_keys[i], partition_keys[i]};
        if (options.kind == "sql" || options.function) {
            const auto [found, added] = functions.try_emplace(options.kind == "sql" ? function_in(job.args) : *options.function);
            if (added) found->second = check_function(found->first);
            job.function = found->second;
        }
        jobs.push_back(job);
    }
    return Int64GetDatum(store_many(options, jobs));
}

// pulse.enqueue as the SQL of 1.0 has it, which calls this library until ALTER EXTENSION pulse UPDATE. Nobody works there meanwhile.
Datum enqueue_released(FunctionCallInfo fcinfo) {
    enum { kQueue, kKind, kArgs, kPriority, kRunAt, kMaxAttempts, kUniqueKey, kTimeout };
    static pg::Plan insert(
        "INSERT INTO _pulse.jobs (queue, kind, args, function, priority, run_at, max_attempts, unique_key, timeout, role, state) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, CASE WHEN $6 > clock_timestamp() THEN 'scheduled' ELSE 'available' END) "
        "ON CONFLICT (queue, unique_key, role) WHERE unique_key IS NOT NULL AND state IN ('available', 'scheduled', 'retryable') "
        "DO UPDATE SET queue = excluded.queue RETURNING id");
    for (const auto &[n, name] : {std::pair{kQueue, "queue"},
                                  {kKind, "kind"},
                                  {kArgs, "args"},
                                  {kPriority, "priority"},
                                  {kRunAt, "run_at"},
                                  {kMaxAttempts, "max_attempts"},
                                  {kTimeout, "timeout"}})
        require(fcinfo, n, name);
    const std::string queue = pg::to_string(pg::arg(fcinfo, kQueue)), kind = pg::to_string(pg::arg(fcinfo, kKind));
    const auto unique_key = pg::optional_text(fcinfo, kUniqueKey);
    check_queue(queue);
    if (kind != "sql")
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "unknown kind of job \"" + kind + "\"", {},
                 "Kinds: sql. ALTER EXTENSION pulse UPDATE brings more.");
    if (unique_key) check_key("unique_key", *unique_key);
    check_max_attempts(DatumGetInt32(pg::arg(fcinfo, kMaxAttempts)));
    check_timeout(pg::arg(fcinfo, kTimeout));
    const std::string function = check_function(function_in(pg::view(pg::arg(fcinfo, kArgs)))),
                      role = pg::call([] { return GetUserNameFromId(GetUserId(), false); });
    const pg::OwnerScope owner(pg::function_owner(fcinfo));
    const pg::SpiSession spi;
    insert.run({pg::param_text(queue),
                pg::param_text(kind),
                {JSONOID, pg::arg(fcinfo, kArgs)},
                pg::param_text(function),
                {INT4OID, pg::arg(fcinfo, kPriority)},
                {TIMESTAMPTZOID, pg::arg(fcinfo, kRunAt)},
                {INT4OID, pg::arg(fcinfo, kMaxAttempts)},
                pg::param_text(unique_key),
                {INTERVALOID, pg::arg(fcinfo, kTimeout)},
                pg::param_text(role)});
    return Int64GetDatum(pg::result_row().int8(1));
}

}  // namespace

}  // namespace pulse::queue

PULSE_FN(pulse_enqueue) { return pulse::queue::enqueue_released(fcinfo); }
PULSE_FN(pulse_enqueue_job) { return pulse::queue::enqueue(fcinfo); }
PULSE_FN(pulse_enqueue_many) { return pulse::queue::enqueue_many(fcinfo); }
