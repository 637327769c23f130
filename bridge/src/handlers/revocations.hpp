// The users and tokens that are not let in any more, so that they are refused before SQL is asked. SQL refuses them too: this list
// is read when the bridge starts, grows with the log's revocations, and forgets what no valid token can be meant by.
#pragma once

#include <string>
#include <unordered_map>

#include "base/claims.hpp"
#include "base/clock.hpp"
#include "hub/encoder.hpp"
#include "hub/evictions.hpp"

namespace bridge::handlers {

class Revocations {
public:
    explicit Revocations(const Clock &clock) : clock_(clock) {}

    void add(hub::Eviction revocation, double expires_at);  // seconds since 1970
    void add(const hub::Event &event);                      // an event of pulse:system; others are ignored
    bool revoked(const Claims &claims) const;
    std::size_t size() const { return users_.size() + tokens_.size(); }

private:
    struct Entry {
        hub::Eviction revocation;
        double expires_at;
    };
    using List = std::unordered_map<std::string, Entry>;
    bool concerns(const List &list, const std::string &name, const Claims &claims) const;
    double now() const;

    const Clock &clock_;
    List users_, tokens_;         // by user id, by jti
    std::size_t looked_at_ = 64;  // size at which the expired ones are looked for next
};

}  // namespace bridge::handlers
