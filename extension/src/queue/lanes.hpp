// Where waiting jobs are to be looked for. A lane is the jobs of one queue, priority and class, ordered by (run_at, id); its mark says
// that nothing waits before it. So a claim never walks again over what was claimed before, however long a snapshot keeps those rows.
// Only lanes in which something waits are here. Pure; times are microseconds.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>

namespace pulse::queue {

// Who works on a job.
enum class Class : std::uint8_t { kSql = 0, kHttp = 1, kExternal = 2 };
constexpr int kClasses = 3;

constexpr Class class_of(std::string_view channel) {
    return channel == "sql" ? Class::kSql : channel == "external" ? Class::kExternal : Class::kHttp;
}

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kAlways = std::numeric_limits<std::int64_t>::min();

// A job's place in its lane.
struct Place {
    std::int64_t run_at = kNever, id = kNever;
    friend auto operator<=>(const Place &, const Place &) = default;
};
constexpr Place kFirst{kAlways, 0}, kNothing{};
constexpr Place after(const Place &place) { return {place.run_at, place.id + 1}; }

struct LaneName {
    std::string queue;
    int priority;
    Class klass;
    friend auto operator<=>(const LaneName &, const LaneName &) = default;
};

class Lanes {
public:
    struct Lane {
        Place mark = kNothing;              // nothing waits before it
        std::int64_t not_before = kAlways;  // put off: somebody holds its first row
        bool waits_idle = false;            // its first job begins only in a worker that has nothing else
        std::uint64_t pass = 0;             // the pass that was here last
    };
    using Entry = std::pair<const LaneName, Lane>;

    // Something waits at this place, or later in the lane. (A job that is for never is nothing.)
    void told(std::string_view queue, int priority, Class klass, Place place);
    // Something may wait anywhere in these lanes.
    void look_everywhere(std::string_view queue, int priority);
    // Nothing waits before `mark` any more; when that is for never, the lane is taken away.
    void advance(const LaneName &name, Place mark);
    // What was seen cannot be had for a while.
    void put_off(const LaneName &name, std::int64_t until);
    // The clock was set back: nothing is put off any more.
    void forget_pauses();
    void wait_for_idle(const LaneName &name, bool waits);
    bool any_waits_for_idle() const;
    void clear() { lanes_.clear(); }
    std::size_t size() const { return lanes_.size(); }

    // Begins a pass over the lanes, in which each is picked once.
    void begin_pass() { ++pass_; }
    // The due lane that comes next, of those that `open` allows: the smallest priority, of these the one that has waited longest. Every
    // eighth time it is the one that has waited longest whatever its priority, when that is long, so that none starves. null: none.
    template <class Open>
    Entry *pick(std::int64_t now, Open &&open) {
        Entry *best = nullptr, *oldest = nullptr;
        for (Entry &entry : lanes_) {
            const auto &[name, lane] = entry;
            if (lane.pass == pass_ || lane.mark.run_at > now || lane.not_before > now) continue;
            if (best != nullptr && !before(entry, *best) && oldest->second.mark <= lane.mark) continue;
            if (!open(name, lane)) continue;
            if (best == nullptr || before(entry, *best)) best = &entry;
            if (oldest == nullptr || lane.mark < oldest->second.mark) oldest = &entry;
        }
        if (best == nullptr) return nullptr;
        if (++picks_ % kOldestEvery == 0 && oldest->second.mark.run_at < now - kLongWait) best = oldest;
        best->second.pass = pass_;
        return best;
    }
    // The due lane that a pick would take, but for those that have waited for long.
    template <class Open>
    const Entry *first_due(std::int64_t now, Open &&open) const {
        const Entry *best = nullptr;
        for (const Entry &entry : lanes_)
            if (entry.second.mark.run_at <= now && entry.second.not_before <= now && (best == nullptr || before(entry, *best)) &&
                open(entry.first, entry.second))
                best = &entry;
        return best;
    }
    // When a lane that `open` allows is due next; kNever when none is.
    template <class Open>
    std::int64_t next_due(Open &&open) const {
        std::int64_t next = kNever;
        for (const auto &[name, lane] : lanes_) {
            const std::int64_t at = std::max(lane.mark.run_at, lane.not_before);
            if (at < next && open(name, lane)) next = at;
        }
        return next;
    }

private:
    static constexpr std::uint64_t kOldestEvery = 8;
    static constexpr std::int64_t kLongWait = 1000 * 1000;
    static bool before(const Entry &left, const Entry &right) {
        if (left.first.priority != right.first.priority) return left.first.priority < right.first.priority;
        return left.second.mark < right.second.mark;
    }

    std::map<LaneName, Lane> lanes_;
    std::uint64_t pass_ = 0, picks_ = 0;
};

}  // namespace pulse::queue
