// What is done to jobs and said about kinds from outside: pulse.cancel, pulse.job_kind, and the news of jobs that SQL makes wait.
#include "pg/extension.hpp"
#include "pg/interval.hpp"
#include "pg/run_as.hpp"
#include "pg/spi.hpp"
#include "queue/events.hpp"
#include "queue/finish.hpp"
#include "queue/function.hpp"
#include "queue/news.hpp"
#include "queue/options.hpp"
#include "queue/settings.hpp"

#include <algorithm>

namespace pulse::queue {

namespace {

constexpr std::string_view kOwnKinds[] = {"sql", "fcm", "sms", "webhook"};
constexpr std::string_view kChannels[] = {"sql", "fcm", "sms", "webhook", "external"};

[[noreturn]] void refuse(std::string_view message, std::string_view hint = {}) {
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, message, {}, hint);
}

Datum cancel(FunctionCallInfo fcinfo) {
    // The lock decides whether it waits or runs: a claim that comes first is seen, one that comes later finds it gone or told to stop.
    static pg::Plan look("SELECT j.state FROM _pulse.jobs j WHERE j.id = $1 FOR UPDATE");
    static pg::Plan ask("UPDATE _pulse.jobs SET cancelled_at = coalesce(cancelled_at, clock_timestamp()) WHERE id = $1");
    const int64 id = DatumGetInt64(pg::arg(fcinfo, 0));
    const pg::OwnerScope scope(pg::function_owner(fcinfo));
    const pg::SpiSession spi;
    if (look.run({pg::param_int8(id)}) == 0) return BoolGetDatum(false);
    if (pg::result_row().text(1) != "executing") return BoolGetDatum(!cancel_waiting({id}, "cancelled").empty());
    ask.run({pg::param_int8(id)});
    tell_cancel(id);
    return BoolGetDatum(true);
}

Datum tell_of_waiting(FunctionCallInfo fcinfo) {
    enum { kId, kQueue, kKind, kChannel, kPriority, kRunAt, kAttempt, kState };
    const int64 id = DatumGetInt64(pg::arg(fcinfo, kId));
    const std::string queue = pg::to_string(pg::arg(fcinfo, kQueue)), kind = pg::to_string(pg::arg(fcinfo, kKind)),
                      state = pg::to_string(pg::arg(fcinfo, kState));
    tell_waiting(queue, DatumGetInt32(pg::arg(fcinfo, kPriority)), pg::to_string(pg::arg(fcinfo, kChannel)),
                 DatumGetTimestampTz(pg::arg(fcinfo, kRunAt)), id);
    const pg::SpiSession spi;
    if (queue_settings(queue).events)
        publish_change(queue, "job:enqueued", id, kind, state.c_str(), DatumGetInt32(pg::arg(fcinfo, kAttempt)));
    return Datum(0);
}

void check_kind(std::string_view kind) {
    if (kind.empty() || kind.size() > 63 || std::any_of(kind.begin(), kind.end(), [](char c) {
            return !(('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') || c == '_' || c == '-' || c == '.' ||
                     c == ':');
        }))
        refuse("\"" + std::string(kind) + "\" is no name of a kind of jobs", "It has 1 to 63 letters, digits and characters of '_-.:'.");
}

// Of the engine's own kinds only attempts and backoff can be changed.
void check_channel(const std::string &kind, const std::string &channel, bool has_function) {
    if (std::find(std::begin(kChannels), std::end(kChannels), channel) == std::end(kChannels))
        refuse("unknown channel \"" + channel + "\"", "Channels: sql, fcm, sms, webhook, external.");
    if (std::find(std::begin(kOwnKinds), std::end(kOwnKinds), kind) != std::end(kOwnKinds)) {
        if (channel != kind || has_function)
            refuse("kind \"" + kind + "\" is the engine's own",
                   "Give your kind another name, or set attempts and backoff of this one only.");
    } else if (channel == "sql" && !has_function) {
        refuse("a kind of channel sql needs a function", "f(args json) returns json.");
    } else if (channel == "external" && has_function) {
        refuse("a kind of channel external has no function", "Its jobs are worked on by whoever calls pulse.fetch_jobs.");
    }
}

void check_backoff(FunctionCallInfo fcinfo, int n, const char *name) {
    if (pg::arg_is_null(fcinfo, n)) return;
    const int32 months = DatumGetIntervalP(pg::arg(fcinfo, n))->month;
    if (months < 0 || months > 1 || !pg::microseconds_of(pg::arg(fcinfo, n), 0, 7 * USECS_PER_DAY))
        refuse(std::string(name) + " is not between 0 and 7 days", "Leave it out for what the queue says.");
}

Datum job_kind(FunctionCallInfo fcinfo) {
    enum { kKind, kChannel, kFunction, kMaxAttempts, kBackoff, kBackoffMax };
    static pg::Plan rival("SELECT k.extension FROM _pulse.job_kinds k JOIN pg_catalog.pg_extension e ON e.extname = k.extension "
                          "WHERE k.kind = $1 AND k.extension <> $2");
    static pg::Plan write("INSERT INTO _pulse.job_kinds (kind, channel, function, max_attempts, backoff, backoff_max, extension) "
                          "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT ON CONSTRAINT job_kinds_key DO UPDATE SET "
                          "channel = excluded.channel, function = excluded.function, max_attempts = excluded.max_attempts, "
                          "backoff = excluded.backoff, backoff_max = excluded.backoff_max");
    for (const auto &[n, name] : {std::pair{kKind, "kind"}, {kChannel, "channel"}})
        if (pg::arg_is_null(fcinfo, n))
            pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " is null", {}, "A kind of jobs has a name and a channel.");
    const std::string kind = pg::to_string(pg::arg(fcinfo, kKind)), channel = pg::to_string(pg::arg(fcinfo, kChannel));
    auto function = pg::optional_text(fcinfo, kFunction);
    check_kind(kind);
    check_channel(kind, channel, function.has_value());
    if (function) function = check_function(*function);
    if (!pg::arg_is_null(fcinfo, kMaxAttempts)) check_max_attempts(DatumGetInt32(pg::arg(fcinfo, kMaxAttempts)));
    check_backoff(fcinfo, kBackoff, "backoff");
    check_backoff(fcinfo, kBackoffMax, "backoff_max");
    const pg::OwnerScope scope(pg::function_owner(fcinfo));
    const pg::SpiSession spi;
    const auto extension = pg::running_extension();
    if (extension && rival.run({pg::param_text(kind), pg::param_text(*extension)}) > 0)
        pg::fail(ERRCODE_DUPLICATE_OBJECT,
                 "the kind \"" + kind + "\" is already registered by extension " + std::string(pg::result_row().text(1)), {},
                 "An application may override it; another extension may not.");
    const auto as_given = [&](int n, Oid type) { return pg::Plan::Param{type, pg::arg(fcinfo, n), pg::arg_is_null(fcinfo, n)}; };
    write.run({pg::param_text(kind), pg::param_text(channel), pg::param_text(function), as_given(kMaxAttempts, INT4OID),
               as_given(kBackoff, INTERVALOID), as_given(kBackoffMax, INTERVALOID), pg::param_text(extension)});
    return Datum(0);
}

}  // namespace

}  // namespace pulse::queue

PULSE_FN(pulse_cancel_job) { return pulse::queue::cancel(fcinfo); }
PULSE_FN(pulse_tell_waiting) { return pulse::queue::tell_of_waiting(fcinfo); }
PULSE_FN(pulse_tell_look) {
    pulse::queue::tell_look();
    return Datum(0);
}
PULSE_FN(pulse_job_kind) { return pulse::queue::job_kind(fcinfo); }
