// How often a session warns of events that are lost (on_error 'warn'): at once for a reason that it has not met, then at most every ten
// seconds, with how many more there were. A warning a row would cost more than the event: a line in the log and a packet to the client.
// That holds for any number of reasons, as a table of many partitions has them, a trigger each: more than it can keep apart are counted.
// Pure.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace pulse::publish {

class WarningPace {
public:
    static constexpr std::int64_t kEvery = 10'000'000;  // µs
    static constexpr std::size_t kReasons = 32;         // so many in kEvery; one more is counted with the one that was said the longest ago

    // One more is lost, by this trigger and with this SQLSTATE. nullopt: nothing to say; else how many others were lost since it was last
    // said. A clock that was set back says it again.
    std::optional<std::uint64_t> lost(std::uint32_t trigger, int sqlstate, std::int64_t now) {
        auto *end = reasons_.begin() + used_;
        auto *reason =
            std::find_if(reasons_.begin(), end, [&](const Reason &one) { return one.trigger == trigger && one.sqlstate == sqlstate; });
        const bool met = reason != end, full = used_ == kReasons;
        if (!met && full)
            reason = std::min_element(reasons_.begin(), end, [](const Reason &a, const Reason &b) { return a.said_at < b.said_at; });
        if (!met && !full) {
            reason = &reasons_[used_++];
        } else if (now >= reason->said_at && now - reason->said_at < kEvery) {
            ++reason->others;
            return std::nullopt;
        }
        reason->trigger = trigger;
        reason->sqlstate = sqlstate;
        const std::uint64_t others = reason->others;
        reason->said_at = now;
        reason->others = 0;
        return others;
    }

private:
    struct Reason {
        std::uint32_t trigger = 0;
        int sqlstate = 0;
        std::int64_t said_at = 0;
        std::uint64_t others = 0;  // unsaid
    };
    std::array<Reason, kReasons> reasons_{};
    std::size_t used_ = 0;
};

}  // namespace pulse::publish
