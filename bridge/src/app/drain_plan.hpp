// How fast clients are told to leave. A few go at once; many so many a second, that those who take them over are not stormed; very many
// faster than that, so that the last ones have time to go too.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace bridge::app {

class DrainPlan {
public:
    using milliseconds = std::chrono::milliseconds;
    static constexpr milliseconds kAtOnce{100};  // what takes no longer is no storm

    DrainPlan(std::size_t clients, std::uint32_t per_second, milliseconds timeout) : clients_(clients) {
        const auto wanted = milliseconds(clients * 1000 / std::max<std::uint32_t>(per_second, 1));
        over_ = std::min(wanted, timeout * 4 / 5);
        if (over_ <= kAtOnce) over_ = milliseconds(0);
    }

    // So many of them should have been told by now.
    std::size_t told_by(milliseconds elapsed) const {
        if (elapsed >= over_) return clients_;
        return clients_ * static_cast<std::size_t>(elapsed.count()) / static_cast<std::size_t>(over_.count());
    }

private:
    std::size_t clients_;
    milliseconds over_{};
};

}  // namespace bridge::app
