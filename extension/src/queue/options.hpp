// What pulse.enqueue and pulse.enqueue_many are asked for: read, checked as far as one can before a job runs, and completed by what kind
// and queue say. The functions raise with a hint that lists what is accepted.
#pragma once

#include "pg/text.hpp"

namespace pulse::queue {

enum class UniqueMode { kKeep, kReplace, kKeepRunAt };

// What all jobs of a call share.
struct JobOptions {
    std::string queue, kind, channel;
    std::optional<std::string> function;  // of the kind; of kind sql each job names its own
    int32 priority = 0;
    TimestampTz run_at = 0;
    int32 max_attempts = 0;
    Datum timeout = 0;  // interval
    UniqueMode mode = UniqueMode::kKeep;
    std::optional<std::string> on_end, traceparent;
    std::string role;
    bool events = false;  // the queue wants them
};

// Positions of the arguments in a call.
struct Positions {
    int queue, kind, priority, run_at, max_attempts, timeout, mode, on_end;
};

JobOptions read_options(FunctionCallInfo fcinfo, const Positions &at);
// Of what says queue, kind, priority, run_at, timeout, mode and on_end: checks them, and adds the rest. `max_attempts`: what the call asks
// for.
void complete(JobOptions &options, std::optional<int32> max_attempts);

void require(FunctionCallInfo fcinfo, int n, const char *name);
void check_queue(std::string_view queue);
void check_key(const char *option, std::string_view key);
// A schedule's jobs have a partition key that nobody else may use, for he would hold them up.
constexpr std::string_view kScheduleKey = "schedule:";
void check_partition_key(const char *option, std::string_view key);
class ScheduleScope {  // while this process enqueues for a schedule
public:
    ScheduleScope();
    ~ScheduleScope();
    ScheduleScope(const ScheduleScope &) = delete;
    ScheduleScope &operator=(const ScheduleScope &) = delete;
};
void check_max_attempts(int32 max_attempts);
void check_timeout(Datum interval);

// The name of the function in the args of a job of kind sql.
std::string function_in(std::string_view args);
UniqueMode mode_of(std::string_view word);

}  // namespace pulse::queue
