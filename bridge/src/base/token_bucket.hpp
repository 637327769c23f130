// So many a second on average, with bursts. Keeps only the time until which it is used up, so one costs eight bytes and no timer.
#pragma once

#include <cstdint>

namespace bridge {

class TokenBucket {
public:
    // 0: taken. Else nothing was taken, and so many milliseconds later it can be.
    std::int64_t take(std::int64_t now_ms, std::uint32_t per_second, std::uint32_t burst) {
        if (per_second == 0) return 0;  // no limit
        const std::int64_t now = now_ms * kMillisecond, one = 1000 * kMillisecond / static_cast<std::int64_t>(per_second);
        if (used_until_ < now) used_until_ = now;
        const std::int64_t early = used_until_ + one - now - one * static_cast<std::int64_t>(burst);
        if (early > 0) return (early + kMillisecond - 1) / kMillisecond;
        used_until_ += one;
        return 0;
    }

private:
    static constexpr std::int64_t kMillisecond = 1'000'000;

    std::int64_t used_until_ = 0;  // nanoseconds
};

}  // namespace bridge
