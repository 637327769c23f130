// Which partition keys are taken. Jobs of a queue with the same key run one after the other, by id, whatever their priority; a job that
// waits for its next attempt, or for its time, keeps its key. Only keys of which something runs or waits are here: of any other the
// foreman looks for the first job when it sees one. Pure; times are microseconds.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pulse::queue {

struct KeyName {
    std::string queue, key;
    friend auto operator<=>(const KeyName &, const KeyName &) = default;
};

class Keys {
public:
    // A job of this key waits. False: the key is taken, and is looked at again when it is free. True: look for its first job, and say so
    // by looked() or started().
    static constexpr std::int64_t kAskAgain = 1000 * 1000;
    bool seen(const KeyName &name, std::int64_t id, std::int64_t now);
    // Its first job runs.
    void started(const KeyName &name, std::int64_t id);
    // It ended, or was given back: the key is to be looked at, from this id.
    void ended(const KeyName &name, std::int64_t id);
    // Its first job is one that waits until then; nullopt: it has none.
    struct Head {
        std::int64_t id, run_at;
    };
    void looked(const KeyName &name, const std::optional<Head> &head);
    // Keys of queues that `open` allows that are free and to be looked at now, with the id to look from; at most so many, first those that
    // are due for longest.
    struct Look {
        KeyName name;
        std::int64_t from;
    };
    template <class Open>
    std::vector<Look> to_look_at(std::int64_t now, std::size_t most, Open &&open) const {
        std::vector<Look> looks;
        for (const auto &[name, queue] : queues_) {
            if (queue.due.empty() || queue.due.begin()->first > now || !open(name)) continue;
            for (const auto &[at, key] : queue.due) {
                if (at > now || looks.size() == most) break;
                looks.push_back({{name, std::string(key)}, queue.keys.find(key)->second.from});
            }
        }
        return looks;
    }
    // When one is to be looked at next; the largest value when none is.
    template <class Open>
    std::int64_t next_look(Open &&open) const {
        std::int64_t next = std::numeric_limits<std::int64_t>::max();
        for (const auto &[name, queue] : queues_)
            if (!queue.due.empty() && queue.due.begin()->first < next && open(name)) next = queue.due.begin()->first;
        return next;
    }
    // Nobody can work on its head now: not before then.
    void put_off(const KeyName &name, std::int64_t until);
    // The clock was set back: all that are free are looked at.
    void look_soon();
    std::size_t size() const;

private:
    struct Key {
        std::int64_t running = 0;            // id; 0: none
        std::int64_t head = 0;               // id of the first job as known
        std::int64_t from = 0;               // id from which to look: an earlier one may have come while it ran
        std::int64_t look_at = 0;            // when to look, unless it runs
        std::int64_t asked_at = -kAskAgain;  // when a job that was seen made us look
    };
    struct Queue {
        std::map<std::string, Key, std::less<>> keys;
        std::set<std::pair<std::int64_t, std::string_view>> due;  // look_at and name of those of which none runs
    };
    Key *find(const KeyName &name);
    // Every change of running or look_at goes through here.
    template <class F>
    void change(const KeyName &name, bool make, F &&f);

    std::map<std::string, Queue> queues_;
};

}  // namespace pulse::queue
