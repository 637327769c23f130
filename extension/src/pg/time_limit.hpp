// Limits user code to a time of its own by cancelling it; statement_timeout stays as it is. Nested limits share the outermost one's
// timer. Callers: handle (handlers, policies, connect functions) and job workers.
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

class TimeLimit {
public:
    // Cancels after `ms`, and every `again_ms` from then on, since user code may catch a cancel; after `most_cancels` of them, when that
    // is not 0, the process ends. ms 0: no limit.
    TimeLimit(long ms, long again_ms, int most_cancels = 0);
    ~TimeLimit();
    TimeLimit(const TimeLimit &) = delete;
    TimeLimit &operator=(const TimeLimit &) = delete;

    bool over() const { return armed_ && fired(); }
    void check() const;  // raises when it is over and nothing has been raised yet

    static bool fired();  // did the last one that was set cancel anything?

private:
    bool armed_;
};

}  // namespace pulse::pg
