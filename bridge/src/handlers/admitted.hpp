// Who was let into which room by this bridge a moment ago. A listener over plain HTTP has no stored session; when it comes back for
// what it missed meanwhile, that is no past which only the `history` policy may open: it was a member, as a session that recovers
// was. Its cursor must not be older than its admission. What is forgotten, or was on another bridge, is asked of the policy.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/ids.hpp"

namespace bridge::handlers {

class Admitted {
public:
    static constexpr std::int64_t kKept = 120'000;  // ms since it was last here; a session's recovery_window has the same default
    static constexpr std::size_t kMost = 200'000;   // beyond it nobody new is remembered

    struct Member {
        Position cursor;  // the first that it was given
        Position since;   // of the room, at or behind it: what came before is not for it
    };
    // `user` was a member of `room` until `until`; when it is remembered already, from the earlier of both times on. Who has no user id
    // cannot be told apart and is not remembered.
    void add(std::string_view user, std::string_view room, Member member, const Cursor &until, std::int64_t now) {
        if (user.empty()) return;
        if (until.epoch != epoch_) entries_.clear();  // positions may have been given anew
        epoch_ = until.epoch;
        if (entries_.size() >= sweep_at_) sweep(now);
        const std::string name = key(user, room);
        const auto found = entries_.find(name);
        if (found == entries_.end()) {
            if (entries_.size() < kMost) entries_.emplace(name, Entry{member, until.position, now});
            return;
        }
        Entry &entry = found->second;
        if (now - entry.last > kKept || member.cursor < entry.member.cursor) entry.member = member;
        entry.until = std::max(entry.until, until.position);
        entry.last = now;
    }

    // It is not let in any more.
    void remove(std::string_view user, std::string_view room) { entries_.erase(key(user, room)); }

    // From where on it may have the room's events as a member whose cursor is `seen`; nothing: it is not known for one. `head` is the
    // bridge's; a cursor ahead of it must be one that it was given.
    std::optional<Position> since(std::string_view user, std::string_view room, const Cursor &seen, const Cursor &head,
                                  std::int64_t now) const {
        if (user.empty() || seen.epoch != epoch_ || seen.epoch != head.epoch) return std::nullopt;
        const auto found = entries_.find(key(user, room));
        if (found == entries_.end() || now - found->second.last > kKept) return std::nullopt;
        const Entry &entry = found->second;
        if (seen.position < entry.member.cursor || seen.position > std::max(entry.until, head.position)) return std::nullopt;
        return std::max(entry.member.since, seen.position);
    }

private:
    struct Entry {
        Member member;
        Position until;
        std::int64_t last;
    };
    static std::string key(std::string_view user, std::string_view room) {
        return std::string(user).append(1, '\0').append(room);  // neither holds a NUL
    }
    void sweep(std::int64_t now) {
        std::erase_if(entries_, [now](const auto &one) { return now - one.second.last > kKept; });
        sweep_at_ = std::max<std::size_t>(1'000, 2 * entries_.size());
    }

    std::string epoch_;
    std::unordered_map<std::string, Entry> entries_;
    std::size_t sweep_at_ = 1'000;
};

}  // namespace bridge::handlers
