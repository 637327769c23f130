// What a worker knows of the job it works on, and how an attempt ends. Pure: channels build requests from the one and judge
// responses into the other. States are drawn in README.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace pulse::queue {

// An attempt that has ended otherwise (its lease ran out, its job was redriven) has another number: nothing is done to it any more.
struct AttemptId {
    std::int64_t id = 0;
    int attempt = 0;
    std::uint64_t row = 0;  // where its row may lie; 0: not known
    friend bool operator==(const AttemptId &left, const AttemptId &right) { return left.id == right.id && left.attempt == right.attempt; }
};

struct Attempt {
    std::int64_t id = 0;
    std::uint64_t row = 0;  // as of AttemptId
    int attempt = 0, max_attempts = 1, priority = 0;
    std::string queue, kind, channel, role, args;
    std::optional<std::string> function, unique_key, partition_key, on_end, traceparent;
    std::optional<std::string> errors;  // JSON array of earlier attempts that failed
    long timeout_ms = 0;
    std::string worker;  // who works on it, as its error will say

    AttemptId key() const { return {id, attempt, row}; }
    bool is_last() const { return attempt >= max_attempts; }
};

struct Outcome {
    enum What {
        kCompleted,
        kRetry,      // failed: another attempt later, or a dead letter when this was the last
        kDiscard,    // failed, and every other attempt would too: a dead letter now
        kCancelled,  // somebody cancelled it while it ran
        kReturned    // nobody's fault: it waits again, as if this attempt had not begun
    } what = kCompleted;
    std::string error = {};                           // of kRetry, kDiscard, kCancelled
    std::optional<std::int64_t> retry_after_ms = {};  // of kRetry: not earlier than that
    std::optional<std::string> result_json = {};      // of kCompleted; kept when it is short
};

}  // namespace pulse::queue
