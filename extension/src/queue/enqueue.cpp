// pulse.enqueue: checks everything now, so that a job that is stored can run; wakes the worker at commit.
#include "json/slice.hpp"
#include "pg/commit_wake.hpp"
#include "pg/run_as.hpp"
#include "pg/spi.hpp"
#include "queue/function.hpp"

namespace pulse::queue {

namespace {

enum Argument { kQueue, kKind, kArgs, kPriority, kRunAt, kMaxAttempts, kUniqueKey, kTimeout };

[[noreturn]] void refuse(std::string_view message, std::string_view hint = {}) {
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, message, {}, hint);
}

void require(FunctionCallInfo fcinfo, Argument n, const char *name) {
    if (pg::arg_is_null(fcinfo, n))
        pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " is null", {},
                 "Of the arguments of pulse.enqueue only unique_key may be null.");
}

// The qualified function of a job of kind sql.
std::string function_of(std::string_view args) {
    const auto members = json::members(args);
    if (!members) refuse("args is no JSON object", "A job of kind sql needs args like {\"function\": \"app.f\", \"args\": {…}}.");
    const auto function = json::find(*members, "function");
    const auto name = function ? json::unescape(*function) : std::nullopt;
    if (!name || name->find_first_not_of(" \t\n\r") == std::string::npos)
        refuse("args names no function", "A job of kind sql needs args like {\"function\": \"app.f\", \"args\": {…}}.");
    return check_function(*name);
}

std::string current_role() {
    return pg::call([] { return GetUserNameFromId(GetUserId(), false); });
}

}  // namespace

static Datum enqueue(FunctionCallInfo fcinfo) {
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
    const int32 max_attempts = DatumGetInt32(pg::arg(fcinfo, kMaxAttempts));
    if (queue.empty() || queue.size() > 255)
        refuse("queue has " + std::to_string(queue.size()) + " bytes", "A queue's name has 1 to 255 bytes.");
    if (kind != "sql") refuse("unknown kind of job \"" + kind + "\"", "Kinds: sql.");
    if (unique_key && (unique_key->empty() || unique_key->size() > 255))
        refuse("unique_key has " + std::to_string(unique_key->size()) + " bytes", "A unique key has 1 to 255 bytes.");
    if (max_attempts < 1 || max_attempts > 1000) refuse("max_attempts is " + std::to_string(max_attempts), "It is between 1 and 1000.");
    const bool sensible = pg::call([=] {
        const auto *timeout = DatumGetIntervalP(pg::arg(fcinfo, kTimeout));
        return timeout->month == 0 && (timeout->day > 0 || timeout->time > 0) && timeout->day >= 0 && timeout->day <= 7 &&
               timeout->time >= 0;
    });
    if (!sensible) refuse("timeout is not between 0 and 7 days");
    const std::string function = function_of(pg::view(pg::arg(fcinfo, kArgs)));
    const std::string role = current_role();

    // Again when the job that held the key was claimed between the two statements.
    static pg::Plan insert(
        "INSERT INTO _pulse.jobs (queue, kind, args, function, priority, run_at, max_attempts, unique_key, timeout, role, state) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, CASE WHEN $6 > clock_timestamp() THEN 'scheduled' ELSE 'available' END) "
        "ON CONFLICT (queue, unique_key, role) WHERE unique_key IS NOT NULL AND state IN ('available', 'scheduled', 'retryable') "
        "DO NOTHING RETURNING id");
    static pg::Plan waiting("SELECT id FROM _pulse.jobs WHERE queue = $1 AND unique_key = $2 AND role = $3 "
                            "AND state IN ('available', 'scheduled', 'retryable')");
    const pg::OwnerScope owner(pg::function_owner(fcinfo));
    const pg::SpiSession spi;
    pg::wake_at_commit(pg::Wake::kWorker);
    for (int tries = 0; tries < 10; ++tries) {
        const uint64 stored = insert.run({pg::param_text(std::string_view(queue)),
                                          pg::param_text(std::string_view(kind)),
                                          {JSONOID, pg::arg(fcinfo, kArgs)},
                                          pg::param_text(std::string_view(function)),
                                          {INT4OID, pg::arg(fcinfo, kPriority)},
                                          {TIMESTAMPTZOID, pg::arg(fcinfo, kRunAt)},
                                          pg::param_int4(max_attempts),
                                          pg::param_text(unique_key),
                                          {INTERVALOID, pg::arg(fcinfo, kTimeout)},
                                          pg::param_text(std::string_view(role))});
        if (stored > 0) return Int64GetDatum(pg::result_row().int8(1));
        if (waiting.run({pg::param_text(std::string_view(queue)), pg::param_text(std::string_view(*unique_key)),
                         pg::param_text(std::string_view(role))}) > 0)
            return Int64GetDatum(pg::result_row().int8(1));
    }
    pg::fail(ERRCODE_T_R_SERIALIZATION_FAILURE, "jobs with this unique_key come and go too fast");
}

}  // namespace pulse::queue

PULSE_FN(pulse_enqueue) { return pulse::queue::enqueue(fcinfo); }
