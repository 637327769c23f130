// The keys' states: running, or waiting for a time at which to look.
#include "queue/keys.hpp"

#include <algorithm>

#include "pg/pure.hpp"

namespace pulse::queue {

bool Keys::seen(const KeyName &name, std::int64_t id, std::int64_t now) {
    const auto found = keys_.find(name);
    if (found == keys_.end()) return true;
    Key &key = found->second;
    if (key.running != 0) {
        key.from = std::min(key.from, id);
        return false;
    }
    // Its head waits. One that was told of anew (its run_at may be another), or an earlier one, is looked at; and any now and then, since
    // the head may be gone.
    if (key.look_at > now && id > key.head && now - key.asked_at < kAskAgain) {
        key.look_at = std::min(key.look_at, key.asked_at + kAskAgain);
        return false;
    }
    key.asked_at = now;
    return true;
}

void Keys::started(const KeyName &name, std::int64_t id) {
    Key &key = keys_[name];
    key.running = key.head = key.from = id;
}

void Keys::ended(const KeyName &name, std::int64_t id) {
    const auto found = keys_.find(name);
    if (found == keys_.end() || found->second.running != id) return;
    found->second.running = 0;
    found->second.look_at = 0;
}

void Keys::looked(const KeyName &name, const std::optional<Head> &head) {
    if (!head) {
        keys_.erase(name);
        return;
    }
    Key &key = keys_[name];
    key.running = 0;
    key.head = key.from = head->id;
    key.look_at = head->run_at;
}

void Keys::put_off(const KeyName &name, std::int64_t until) {
    if (const auto found = keys_.find(name); found != keys_.end()) found->second.look_at = until;
}

}  // namespace pulse::queue
