// What SQL has taken away, in order of positions: evictions from rooms and revocations of tokens, as `pulse.evict` and `pulse.revoke`
// publish them in the room pulse:system. Remembered, bounded in bytes, for the races: a decision that was made before an eviction
// and is answered after it, a replay that would run over one. Knows no sessions; what an eviction does is the hub's.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/claims.hpp"
#include "base/ids.hpp"
#include "hub/encoder.hpp"

namespace bridge::hub {

inline constexpr std::string_view kSystemRoom = "pulse:system";

struct Eviction {
    Position position;
    bool revocation = false;
    std::string room;  // of an eviction
    std::string user;  // empty: everybody (eviction), or whoever has the token (revocation)
    std::string jti;   // of a revocation; empty: all tokens of the user that are older
    double revoked_at = 0;
    std::string reason;

    // nullopt: no event of these two kinds, or not in the agreed form.
    static std::optional<Eviction> read(const Event &event);

    bool concerns(const Claims &claims) const;
};

class Evictions {
public:
    explicit Evictions(std::size_t max_bytes) : max_bytes_(max_bytes) {}

    void remember(Eviction eviction);
    void clear(Position head);

    // All after it are here.
    Position floor() const { return floor_; }
    bool any_after(Position position) const { return !entries_.empty() && entries_.back().position > position; }
    std::deque<Eviction>::const_iterator after(Position position) const;
    std::deque<Eviction>::const_iterator end() const { return entries_.end(); }
    std::size_t bytes() const { return bytes_; }

private:
    static std::size_t cost(const Eviction &eviction);

    const std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    Position floor_;
    std::deque<Eviction> entries_;
};

// Is the event in the room pulse:system? Nobody can join or publish there but the extension itself.
bool is_system(const Event &event);

}  // namespace bridge::hub
