// Time as an interface, so that tests step it. Deadlines use now() (monotonic); tokens and timestamps use wall().
#pragma once

#include <chrono>
#include <string>

namespace bridge {

class Clock {
public:
    using Instant = std::chrono::steady_clock::time_point;
    using Wall = std::chrono::system_clock::time_point;

    virtual ~Clock() = default;
    virtual Instant now() const = 0;
    virtual Wall wall() const = 0;
};

class SystemClock final : public Clock {
public:
    Instant now() const override { return std::chrono::steady_clock::now(); }
    Wall wall() const override { return std::chrono::system_clock::now(); }
};

// For tests: stands still until it is told to go on.
class FakeClock final : public Clock {
public:
    Instant now() const override { return now_; }
    Wall wall() const override { return wall_; }
    void advance(std::chrono::nanoseconds by) {
        now_ += std::chrono::duration_cast<Instant::duration>(by);
        wall_ += std::chrono::duration_cast<Wall::duration>(by);
    }
    void set_wall(Wall wall) { wall_ = wall; }

private:
    Instant now_{std::chrono::seconds(1000)};
    Wall wall_{std::chrono::seconds(1'800'000'000)};
};

std::string iso8601(Clock::Wall at);  // 2026-01-31T12:00:00.123Z

}  // namespace bridge
