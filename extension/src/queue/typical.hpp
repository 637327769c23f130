// What jobs take lately: how many of them fill a transaction. One function at a time, since a queue's jobs are of many kinds. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace pulse::queue {

class Typical {
public:
    // µs. Of one that has never run we assume the worst: it begins alone.
    static constexpr std::int64_t kUnknown = 10 * 1000;

    void took(const std::string &function, std::int64_t microseconds) {
        if (functions_.size() >= kMostFunctions && !functions_.contains(function)) functions_.clear();
        average(functions_.try_emplace(function, microseconds).first->second, microseconds);
        if (lately_ == 0) lately_ = microseconds;
        average(lately_, microseconds);
    }
    std::int64_t of(const std::string &function) const {
        const auto known = functions_.find(function);
        return known == functions_.end() ? kUnknown : known->second;
    }
    // Of whatever ran here; 0: nothing has.
    std::int64_t lately() const { return lately_; }
    // How many jobs are worth being loaded for a transaction of that length.
    int batch(int most, std::int64_t length) const {
        if (lately_ == 0) return 1;
        return static_cast<int>(std::clamp<std::int64_t>(length / lately_, 1, most));
    }

private:
    static constexpr std::size_t kMostFunctions = 1000;
    // A slow one counts at once, fast ones bring it down again step by step.
    static void average(std::int64_t &value, std::int64_t now) {
        value = std::max<std::int64_t>(now > value ? (value + now) / 2 : value + (now - value) / 8, 1);
    }

    std::unordered_map<std::string, std::int64_t> functions_;
    std::int64_t lately_ = 0;
};

}  // namespace pulse::queue
