// The call of user code: role, settings, time limit, and what is left behind.
#include "queue/run.hpp"

#include "json/slice.hpp"
#include "pg/run_as.hpp"
#include "pg/time_limit.hpp"
#include "queue/plans.hpp"

namespace pulse::queue {

namespace {

std::int64_t running_job = 0;

class RunningJob {
public:
    explicit RunningJob(std::int64_t id) { running_job = id; }
    ~RunningJob() { running_job = 0; }
    RunningJob(const RunningJob &) = delete;
    RunningJob &operator=(const RunningJob &) = delete;
};

// Code that catches one cancel after the other is ended with the process: the attempt counts, and others get their turn.
constexpr int kCancelsBeforeTheEnd = 10;

// Of kind sql, {"function":…,"args":…} hands over args; anything else is handed over as a whole.
std::string_view arguments(const Attempt &job) {
    if (job.kind != "sql") return job.args;
    if (const auto members = json::members(job.args))
        if (const auto inner = json::find(*members, "args")) return *inner;
    return job.args;
}

void call_function(const Attempt &job, Oid role) {
    const pg::TimeLimit limit(job.timeout_ms, std::min(job.timeout_ms, 1000L), kCancelsBeforeTheEnd);
    const pg::RunAs as(role);
    pg::SettingScope settings;
    // The database's own values: the worker's are for its own queries.
    for (const char *name : {"search_path", "plan_cache_mode", "lock_timeout"}) settings.set(name, GetConfigOptionResetString(name));
    for (const char *name : kPinned) settings.set(name, GetConfigOptionResetString(name));
    const std::string sql = "SELECT " + *job.function + "($1)";
    const Datum args = pg::text_datum(arguments(job));
    const pg::SpiSession spi;
    pg::call([&] {
        Oid types[] = {JSONOID};
        Datum values[] = {args};
        if (SPI_execute_with_args(sql.c_str(), 1, types, values, nullptr, false, 0) != SPI_OK_SELECT)
            elog(ERROR, "job's function is no SELECT");
    });
    pg::force_deferred();
}

std::string describe(const pg::Raised &error, const Attempt &job) {
    if (error.sqlstate == ERRCODE_QUERY_CANCELED && pg::TimeLimit::fired())
        return "57014: ran longer than its timeout of " + std::to_string(job.timeout_ms) + " ms";
    return std::string(unpack_sql_state(error.sqlstate)) + ": " + error.message;
}

}  // namespace

std::optional<std::string> run(const Attempt &job) {
    if (!job.function) return "no function";
    const Oid role = pg::call([&] { return get_role_oid(job.role.c_str(), true); });
    if (!OidIsValid(role)) return "role \"" + job.role + "\" does not exist";
    const RunningJob running(job.id);
    std::optional<pg::Raised> error;
    try {
        error = pg::subtransaction([&] { call_function(job, role); });
    } catch (const pg::Error &e) {
        // Its subtransaction is rolled back already: a cancel ends this job, anything else the worker.
        if (e.raised().sqlstate != ERRCODE_QUERY_CANCELED) throw;
        error = e.raised();
    }
    if (!error) return std::nullopt;
    return describe(*error, job);
}

}  // namespace pulse::queue

PULSE_FN(pulse_job_id) {
    if (pulse::queue::running_job == 0) return pulse::pg::null_result(fcinfo);
    return Int64GetDatum(pulse::queue::running_job);
}
