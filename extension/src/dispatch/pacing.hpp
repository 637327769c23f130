// How long the dispatcher pauses after a tick. Pure.
// Idle or slow: not at all, so that a lone event goes out at once. Under load a pause lets the batch grow, because a tick
// costs the same for one event as for a hundred. The pause grows with the rate of events, not with the last batch.
// And a tick flushes WAL, which others' commits wait for: ticks one behind the other would halve the rate of a lone writer. So
// ticks that would fill more than half of the time pause twice as long as they took.
#pragma once

#include <algorithm>
#include <cmath>

namespace pulse::dispatch {

class Pacing {
public:
    // A tick that ended at `now` after `took` (seconds) found this many events. Returns the pause in milliseconds, at most max_gap.
    double after_tick(double now, double events, double max_gap, double took = 0) {
        const double passed = std::max(now - last_, 1e-6);
        last_ = now;
        const double keep = std::exp(-passed / kMemory);
        rate_ = rate_ * keep + events / kMemory * (passed < kMemory ? 1.0 : kMemory / passed);
        const double share = (rate_ - kCalm) / (kBusy - kCalm);
        const double idle = passed - took - pause_ / 1000;
        const double breath = events > 0 && idle < took ? took * 2000 : 0.0;
        return pause_ = std::clamp(std::max(max_gap * share, breath), 0.0, max_gap);
    }
    double rate() const { return rate_; }

private:
    static constexpr double kMemory = 0.1;  // seconds over which the rate is averaged
    static constexpr double kCalm = 2000;   // events a second up to which there is no pause
    static constexpr double kBusy = 10000;  // from here on the pause is max_gap
    double rate_ = 0;
    double last_ = 0;
    double pause_ = 0;  // ms, after the last tick
};

}  // namespace pulse::dispatch
