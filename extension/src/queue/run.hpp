// Calls an SQL function as the role of a job, in a subtransaction, with a time limit. User code runs nowhere else in a worker, and never as
// anybody but that role. Inside the caller's transaction and a UserCode scope. May throw pg::Error when the worker itself is to end.
#pragma once

#include "pg/run_as.hpp"
#include "pg/spi.hpp"
#include "queue/attempt.hpp"

namespace pulse::queue {

struct CallResult {
    enum What {
        kDone,
        kFailed,
        kDiscarded,   // says itself that another attempt would fail alike: pulse.discard_job
        kTimedOut,    // ran longer than its limit
        kInterrupted  // cancelled otherwise: by the end of this worker, pulse.cancel, or pg_cancel_backend
    } what = kDone;
    std::optional<std::string> result;  // JSON; nullopt: SQL NULL
    std::string error;                  // of all but kDone; nothing of what it did is left
};

// f(args json) returns json, by its qualified name.
CallResult call(const Attempt &job, const std::string &function, std::string_view args, long limit_ms);

// What a job of channel sql is called with: of kind sql, the member args of its args when there is one; else all of it.
std::string_view arguments(const Attempt &job);

// Around calls, in a process of ours: user code sees the database's own settings, and finds nothing of ours.
class UserCode {
public:
    UserCode();

private:
    pg::SettingScope settings_;
};

// For a process that does little but such calls: outside of OwnCode scopes its session has the database's own search_path.
void begin_as_user();

// Around our own SQL there, which finds only what it names.
class OwnCode {
public:
    OwnCode();

private:
    pg::SettingScope settings_;
};

}  // namespace pulse::queue
