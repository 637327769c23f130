// How many more jobs of one queue may begin now: concurrency, and a rate that holds at the receiver. A job's request reaches the receiver
// somewhere between its start and its end, so it occupies a place of the rate from its start until `per` after its end: no window of that
// length, wherever the receiver begins it, sees more than `rate`. Pure; times are microseconds of a steady clock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

namespace pulse::queue {

class Limiter {
public:
    // 0: no such limit.
    void configure(int concurrency, int rate, std::int64_t per) {
        concurrency_ = concurrency;
        rate_ = per > 0 ? rate : 0;
        per_ = per;
    }
    bool has_rate() const { return rate_ > 0; }
    std::int64_t per() const { return per_; }

    void started() { ++running_; }
    void never_started() { --running_; }
    void ended(std::int64_t now) {
        --running_;
        if (rate_ > 0) ends_.push_back(now);
    }
    // What ended before this limiter, or this window of it, was made; in order.
    void seed(const std::vector<std::int64_t> &ended_at) { ends_.assign(ended_at.begin(), ended_at.end()); }

    int running() const { return running_; }
    int room(std::int64_t now) {
        int room = std::numeric_limits<int>::max();
        if (concurrency_ > 0) room = std::min(room, concurrency_ - running_);
        if (rate_ > 0) {
            forget(now);
            room = std::min<std::int64_t>(room, rate_ - running_ - static_cast<std::int64_t>(ends_.size()));
        }
        return std::max(room, 0);
    }
    // When there is room again by the passing of time alone; the largest value when only an end makes room.
    std::int64_t room_at(std::int64_t now) {
        if (room(now) > 0) return now;
        if (rate_ == 0 || ends_.empty() || (concurrency_ > 0 && running_ >= concurrency_) || running_ >= rate_)
            return std::numeric_limits<std::int64_t>::max();
        // So many of them have to pass for one place to be free.
        const std::size_t passing = ends_.size() + static_cast<std::size_t>(running_) - static_cast<std::size_t>(rate_);
        return ends_[std::min(passing, ends_.size() - 1)] + per_ + 1;
    }
    // Nothing of it would be lost with it.
    bool is_idle(std::int64_t now) const { return running_ == 0 && (rate_ == 0 || ends_.empty() || ends_.back() + per_ < now); }

private:
    void forget(std::int64_t now) {
        while (!ends_.empty() && (rate_ == 0 || ends_.front() + per_ < now)) ends_.pop_front();
    }

    int concurrency_ = 0, rate_ = 0, running_ = 0;
    std::int64_t per_ = 0;
    std::deque<std::int64_t> ends_;
};

}  // namespace pulse::queue
