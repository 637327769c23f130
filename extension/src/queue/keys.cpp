// The keys' states: running, or waiting for a time at which to look.
#include "queue/keys.hpp"

#include <algorithm>

#include "pg/pure.hpp"

namespace pulse::queue {

Keys::Key *Keys::find(const KeyName &name) {
    const auto queue = queues_.find(name.queue);
    if (queue == queues_.end()) return nullptr;
    const auto key = queue->second.keys.find(name.key);
    return key == queue->second.keys.end() ? nullptr : &key->second;
}

template <class F>
void Keys::change(const KeyName &name, bool make, F &&f) {
    if (!make && find(name) == nullptr) return;
    Queue &queue = queues_[name.queue];
    const auto [found, made] = queue.keys.try_emplace(name.key);
    auto &[key_name, key] = *found;
    if (!made && key.running == 0) queue.due.erase({key.look_at, key_name});
    f(key);
    if (key.running == 0) queue.due.emplace(key.look_at, key_name);
}

bool Keys::seen(const KeyName &name, std::int64_t id, std::int64_t now) {
    bool look = true;
    change(name, false, [&](Key &key) {
        if (key.running != 0) {
            key.from = std::min(key.from, id);
            look = false;
            return;
        }
        // Its head waits. One that was told of anew (its run_at may be another), or an earlier one, is looked at; and any now and then,
        // since the head may be gone.
        if (key.look_at > now && id > key.head && now - key.asked_at < kAskAgain) {
            key.look_at = std::min(key.look_at, key.asked_at + kAskAgain);
            look = false;
            return;
        }
        key.asked_at = now;
    });
    return look;
}

void Keys::started(const KeyName &name, std::int64_t id) {
    change(name, true, [&](Key &key) { key.running = key.head = key.from = id; });
}

void Keys::ended(const KeyName &name, std::int64_t id) {
    change(name, false, [&](Key &key) {
        if (key.running != id) return;
        key.running = 0;
        key.look_at = 0;
    });
}

void Keys::looked(const KeyName &name, const std::optional<Head> &head) {
    if (head) {
        change(name, true, [&](Key &key) {
            key.running = 0;
            key.head = key.from = head->id;
            key.look_at = head->run_at;
        });
        return;
    }
    const auto queue = queues_.find(name.queue);
    if (queue == queues_.end()) return;
    const auto key = queue->second.keys.find(name.key);
    if (key == queue->second.keys.end()) return;
    queue->second.due.erase({key->second.look_at, key->first});
    queue->second.keys.erase(key);
    if (queue->second.keys.empty()) queues_.erase(queue);
}

void Keys::put_off(const KeyName &name, std::int64_t until) {
    change(name, false, [&](Key &key) { key.look_at = until; });
}

void Keys::look_soon() {
    for (auto &[name, queue] : queues_) {
        queue.due.clear();
        for (auto &[key_name, key] : queue.keys) {
            key.look_at = 0;
            key.asked_at = -kAskAgain;
            if (key.running == 0) queue.due.emplace(key.look_at, key_name);
        }
    }
}

std::size_t Keys::size() const {
    std::size_t size = 0;
    for (const auto &[name, queue] : queues_) size += queue.keys.size();
    return size;
}

}  // namespace pulse::queue
