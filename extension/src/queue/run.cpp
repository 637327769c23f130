// The call of user code: role, settings, time limit, and what is left behind.
#include "queue/run.hpp"

#include "json/slice.hpp"
#include "pg/leftovers.hpp"
#include "pg/time_limit.hpp"
#include "queue/job_function.hpp"

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

constexpr int kDiscard = MAKE_SQLSTATE('P', 'J', '0', '0', '1');  // pulse.discard_job

// Code that catches one cancel after the other is ended with the process: the attempt counts, and others get their turn.
constexpr int kCancelsBeforeTheEnd = 10;

void call_function(const Attempt &job, const std::string &function, std::string_view args, Oid role, CallResult &result) {
    const pg::RunAs as(role);
    pg::SettingScope settings;  // what it sets is not the next one's
    if (job.traceparent) settings.set("pulse.traceparent", job.traceparent->c_str());
    const pg::Leftovers leftovers;
    result.result = JobFunction::of(function, role)(args);
    pg::force_deferred();
    pg::close_all();  // also of what is dropped next
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
    if (error->sqlstate == kDiscard) return {CallResult::kDiscarded, std::nullopt, error->message};
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
