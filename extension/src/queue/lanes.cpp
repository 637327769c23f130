// The marks of lanes.
#include "queue/lanes.hpp"

#include "pg/pure.hpp"

namespace pulse::queue {

void Lanes::told(std::string_view queue, int priority, Class klass, Place place) {
    if (place.run_at == kNever) return;
    Lane &lane = lanes_[{std::string(queue), priority, klass}];
    lane.mark = std::min(lane.mark, place);
}

void Lanes::look_everywhere(std::string_view queue, int priority) {
    for (int klass = 0; klass < kClasses; ++klass) told(queue, priority, static_cast<Class>(klass), kFirst);
}

void Lanes::advance(const LaneName &name, Place mark) {
    const auto found = lanes_.find(name);
    if (found == lanes_.end()) return;
    if (mark.run_at == kNever)
        lanes_.erase(found);
    else
        found->second.mark = mark;
}

void Lanes::put_off(const LaneName &name, std::int64_t until) {
    if (const auto found = lanes_.find(name); found != lanes_.end()) found->second.not_before = until;
}

void Lanes::forget_pauses() {
    for (auto &[name, lane] : lanes_) lane.not_before = kAlways;
}

void Lanes::wait_for_idle(const LaneName &name, bool waits) {
    if (const auto found = lanes_.find(name); found != lanes_.end()) found->second.waits_idle = waits;
}

bool Lanes::any_waits_for_idle() const {
    return std::any_of(lanes_.begin(), lanes_.end(), [](const auto &entry) { return entry.second.waits_idle; });
}

}  // namespace pulse::queue
