// How long a failed job waits before its next attempt. Pure.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

namespace pulse::queue {

struct Backoff {
    double first = 1, most = 3600;  // seconds
};

// Seconds after the attempt'th attempt (from 1): 1, 2, 4 … at most an hour, and up to a tenth more, so that jobs that failed
// together do not come back together. `random` is in [0, 1).
inline double backoff_seconds(int attempt, double random, Backoff backoff = {}) {
    const double wait = std::min(backoff.first * std::pow(2.0, std::clamp(attempt, 1, 60) - 1), backoff.most);
    return wait * (1.0 + 0.1 * random);
}

// Never earlier than the other side asked for: an outside worker, or a server, whom channel.hpp holds to what is reasonable.
inline double retry_seconds(int attempt, double random, Backoff backoff, std::optional<std::int64_t> retry_after_ms) {
    const double own = backoff_seconds(attempt, random, backoff);
    if (!retry_after_ms) return own;
    return std::max(own, static_cast<double>(*retry_after_ms) / 1000.0);
}

}  // namespace pulse::queue
