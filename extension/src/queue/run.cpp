// The call of user code: role, settings, time limit, and what is left behind.
#include "queue/run.hpp"

#include "json/slice.hpp"
#include "pg/leftovers.hpp"
#include "pg/time_limit.hpp"
#include "queue/plans.hpp"

#include <map>

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
constexpr std::size_t kMostPlans = 1000;

// Plans of "SELECT f($1)". The role is part of it: what a name means, and whether its schema may be used, is decided when one is made.
SPIPlanPtr plan_of(const std::string &function, Oid role) {
    static auto *plans = new std::map<std::pair<Oid, std::string>, SPIPlanPtr>;
    if (const auto known = plans->find({role, function}); known != plans->end()) return known->second;
    if (plans->size() >= kMostPlans) {
        for (const auto &[name, plan] : *plans) pg::call([&, made = plan] { SPI_freeplan(made); });
        plans->clear();
    }
    const std::string sql = "SELECT " + function + "($1)";
    const SPIPlanPtr plan = pg::call([&] {
        Oid types[] = {JSONOID};
        SPIPlanPtr prepared = SPI_prepare(sql.c_str(), 1, types);
        if (prepared == nullptr) elog(ERROR, "could not prepare \"%s\": %s", sql.c_str(), SPI_result_code_string(SPI_result));
        if (SPI_keepplan(prepared) != 0) elog(ERROR, "could not keep the plan of \"%s\"", sql.c_str());
        return prepared;
    });
    plans->emplace(std::pair{role, function}, plan);
    return plan;
}

void call_function(const Attempt &job, const std::string &function, std::string_view args, Oid role, CallResult &result) {
    const pg::RunAs as(role);
    pg::SettingScope settings;  // what it sets is not the next one's
    if (job.traceparent) settings.set("pulse.traceparent", job.traceparent->c_str());
    const pg::Leftovers leftovers;
    const Datum argument = pg::text_datum(args);
    {
        const pg::SpiSession spi;
        SPIPlanPtr plan = plan_of(function, role);
        pg::call([&] {
            Datum values[] = {argument};
            if (SPI_execute_plan(plan, values, nullptr, false, 0) != SPI_OK_SELECT) elog(ERROR, "job's function is no SELECT");
        });
        if (SPI_processed == 1)
            if (const auto text = pg::result_row().optional_text(1)) result.result = std::string(*text);
    }
    pg::force_deferred();
    leftovers.drop_temporary();
}

}  // namespace

std::string_view arguments(const Attempt &job) {
    if (job.kind != "sql") return job.args;
    if (const auto members = json::members(job.args))
        if (const auto inner = json::find(*members, "args")) return *inner;
    return job.args;
}

// Any setting that a scope has changed makes PostgreSQL look at all settings at the end of each savepoint.
UserCode::UserCode() {
    for (const char *name : {"search_path", "lock_timeout"}) {
        const char *own = GetConfigOptionResetString(name);
        if (std::string_view(pg::call([&] { return GetConfigOption(name, false, false); })) != own) settings_.set(name, own);
    }
}

void begin_as_user() {
    pg::call([] { SetConfigOption("search_path", nullptr, PGC_USERSET, PGC_S_SESSION); });
}

OwnCode::OwnCode() { settings_.set("search_path", "pg_catalog, pg_temp"); }

CallResult call(const Attempt &job, const std::string &function, std::string_view args, long limit_ms) {
    CallResult result;
    const Oid role = pg::call([&] { return get_role_oid(job.role.c_str(), true); });
    if (!OidIsValid(role)) return {CallResult::kFailed, std::nullopt, "role \"" + job.role + "\" does not exist"};
    const RunningJob running(job.id);
    std::optional<pg::Raised> error;
    bool timed_out = false;
    {
        const pg::TimeLimit limit(limit_ms, std::min(limit_ms, 1000L), kCancelsBeforeTheEnd);
        try {
            error = pg::subtransaction([&] { call_function(job, function, args, role, result); });
        } catch (const pg::Error &e) {
            // Its subtransaction is rolled back already: a cancel ends this job.
            if (e.raised().sqlstate != ERRCODE_QUERY_CANCELED) throw;
            error = e.raised();
        }
        timed_out = limit.over();
    }
    LockReleaseSession(USER_LOCKMETHOD);
    if (!error) return result;
    result.result.reset();
    result.what = error->sqlstate != ERRCODE_QUERY_CANCELED ? CallResult::kFailed
                  : timed_out                               ? CallResult::kTimedOut
                                                            : CallResult::kInterrupted;
    result.error = std::string(unpack_sql_state(error->sqlstate)) + ": " + error->message;
    return result;
}

}  // namespace pulse::queue

PULSE_FN(pulse_job_id) {
    if (pulse::queue::running_job == 0) return pulse::pg::null_result(fcinfo);
    return Int64GetDatum(pulse::queue::running_job);
}
