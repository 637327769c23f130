#include "queue/options.hpp"

#include "guc.hpp"
#include "json/slice.hpp"
#include "names/traceparent.hpp"
#include "pg/interval.hpp"
#include "queue/function.hpp"
#include "queue/settings.hpp"

namespace pulse::queue {

namespace {

constexpr std::size_t kMaxName = 255;  // bytes of a queue's name and of a key
constexpr int32 kDefaultAttempts = 3, kMostAttempts = 1000;

[[noreturn]] void refuse(std::string_view message, std::string_view hint = {}) {
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, message, {}, hint);
}

std::optional<std::string> own_traceparent() {
    const std::string_view traceparent = guc::traceparent != nullptr ? guc::traceparent : "";
    if (!names::is_traceparent(traceparent)) return std::nullopt;
    return std::string(traceparent);
}

constexpr const char *kSqlArgs = "A job of kind sql needs args like {\"function\": \"app.f\", \"args\": {…}}.";

}  // namespace

void require(FunctionCallInfo fcinfo, int n, const char *name) {
    if (pg::arg_is_null(fcinfo, n))
        pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " is null", {},
                 "Only max_attempts, on_end, unique_key and partition_key may be null.");
}

void check_queue(std::string_view queue) {
    if (queue.empty() || queue.size() > kMaxName)
        refuse("queue has " + std::to_string(queue.size()) + " bytes", "A queue's name has 1 to 255 bytes.");
    if (queue == "*") refuse("no queue can have the name *", "Give it one of 1 to 255 bytes.");
}

void check_key(const char *option, std::string_view key) {
    if (key.empty() || key.size() > kMaxName)
        refuse(std::string(option) + " has " + std::to_string(key.size()) + " bytes", "A key has 1 to 255 bytes.");
}

static bool scheduling = false;

ScheduleScope::ScheduleScope() { scheduling = true; }
ScheduleScope::~ScheduleScope() { scheduling = false; }

void check_partition_key(const char *option, std::string_view key) {
    check_key(option, key);
    if (key.starts_with(kScheduleKey) && !scheduling)
        refuse(std::string(option) + " begins with \"" + std::string(kScheduleKey) + "\"", "Such keys are those of schedules' jobs.");
}

void check_max_attempts(int32 max_attempts) {
    if (max_attempts < 1 || max_attempts > kMostAttempts)
        refuse("max_attempts is " + std::to_string(max_attempts), "It is between 1 and 1000.");
}

void check_timeout(Datum interval) {
    if (!pg::fixed_microseconds_of(interval, 1000, 7 * USECS_PER_DAY))
        refuse("timeout is not between a millisecond and 7 days", "It is an interval without months, as '30 s'.");
}

JobOptions read_options(FunctionCallInfo fcinfo, const Positions &at) {
    for (const auto &[n, name] : {std::pair{at.queue, "queue"},
                                  {at.kind, "kind"},
                                  {at.priority, "priority"},
                                  {at.run_at, "run_at"},
                                  {at.timeout, "timeout"},
                                  {at.mode, "unique_mode"}})
        require(fcinfo, n, name);
    JobOptions options;
    options.queue = pg::to_string(pg::arg(fcinfo, at.queue));
    options.kind = pg::to_string(pg::arg(fcinfo, at.kind));
    options.priority = DatumGetInt32(pg::arg(fcinfo, at.priority));
    options.run_at = DatumGetTimestampTz(pg::arg(fcinfo, at.run_at));
    options.timeout = pg::arg(fcinfo, at.timeout);
    options.mode = mode_of(pg::view(pg::arg(fcinfo, at.mode)));
    options.on_end = pg::optional_text(fcinfo, at.on_end);
    std::optional<int32> max_attempts;
    if (!pg::arg_is_null(fcinfo, at.max_attempts)) max_attempts = DatumGetInt32(pg::arg(fcinfo, at.max_attempts));
    complete(options, max_attempts);
    return options;
}

UniqueMode mode_of(std::string_view word) {
    if (word == "keep") return UniqueMode::kKeep;
    if (word == "replace") return UniqueMode::kReplace;
    if (word == "keep_run_at") return UniqueMode::kKeepRunAt;
    refuse("unknown unique_mode \"" + std::string(word) + "\"", "Modes: keep, replace, keep_run_at.");
}

void complete(JobOptions &options, std::optional<int32> max_attempts) {
    check_queue(options.queue);
    const KindSettings *kind = kind_settings(options.kind);
    if (kind == nullptr)
        refuse("unknown kind of job \"" + options.kind + "\"",
               "Kinds: " + known_kinds() + ". pulse.job_kind(kind, channel, function) makes another.");
    options.channel = kind->channel;
    options.function = kind->function;
    const std::optional<int> attempts = kind->max_attempts;  // settings live until the next call
    const QueueSettings &settings = queue_settings(options.queue);
    options.events = settings.events;
    if (max_attempts) check_max_attempts(*max_attempts);
    options.max_attempts = max_attempts ? *max_attempts : attempts.value_or(settings.max_attempts.value_or(kDefaultAttempts));
    check_timeout(options.timeout);
    if (options.on_end) options.on_end = check_function(*options.on_end);
    options.role = pg::call([] { return GetUserNameFromId(GetUserId(), false); });
    options.traceparent = own_traceparent();
}

std::string function_in(std::string_view args) {
    const auto members = json::members(args);
    if (!members) refuse("args is no JSON object", kSqlArgs);
    const auto function = json::find(*members, "function");
    auto name = function ? json::unescape(*function) : std::nullopt;
    if (!name || name->find_first_not_of(" \t\n\r") == std::string::npos) refuse("args names no function", kSqlArgs);
    return *std::move(name);
}

}  // namespace pulse::queue
