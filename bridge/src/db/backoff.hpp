// How long to wait before trying PostgreSQL again: doubling, bounded, with jitter so that a hundred bridges do not
// come back in the same millisecond. The first try after a loss is at once. Pure; used by every connection of db.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/rng.hpp"

namespace bridge::db {

class Backoff {
public:
    struct Limits {
        std::chrono::milliseconds first{100};
        std::chrono::milliseconds most{5000};
    };

    explicit Backoff(Rng &rng) : Backoff(rng, Limits{}) {}
    Backoff(Rng &rng, Limits limits) : rng_(rng), limits_(limits) {}

    std::chrono::milliseconds next() {
        if (tries_++ == 0) return std::chrono::milliseconds(0);
        const int doublings = std::min(tries_ - 2, 20);
        const auto full = std::min<std::int64_t>(limits_.first.count() << doublings, limits_.most.count());
        std::array<std::byte, 4> random{};
        rng_.fill(random);
        std::uint32_t number = 0;
        std::memcpy(&number, random.data(), sizeof number);
        return std::chrono::milliseconds(full / 2 + static_cast<std::int64_t>(number) % (full / 2 + 1));
    }
    void reset() { tries_ = 0; }
    int tries() const { return tries_; }

private:
    Rng &rng_;
    Limits limits_;
    int tries_ = 0;
};

}  // namespace bridge::db
