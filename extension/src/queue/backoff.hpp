// How long a failed job waits before its next attempt. Pure.
#pragma once

#include <algorithm>
#include <cmath>

namespace pulse::queue {

// Seconds after the attempt'th attempt (from 1): 1, 2, 4 … at most an hour, and up to a tenth more, so that jobs that failed
// together do not come back together. `random` is in [0, 1).
inline double backoff_seconds(int attempt, double random) {
    const double wait = std::min(std::pow(2.0, std::clamp(attempt, 1, 30) - 1), 3600.0);
    return wait * (1.0 + 0.1 * random);
}

}  // namespace pulse::queue
