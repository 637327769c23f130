// Evictions and revocations as the log holds them: events in the engine's own rooms, which commit with the transaction that
// caused them and take effect at their position. Bridges act on those of pulse:system; here they are written and looked up.
// Besides pulse:system each stands in pulse:evictions and in the room of its subject (a user, a room, a token), so that a
// look-up costs a few index probes however many there are.
#pragma once

#include "handle/call.hpp"

namespace pulse::handle {

struct Eviction {
    int64 position = 0;
    std::optional<std::string> room;  // null: a revocation
};

// Whose evictions count for a session or a request.
struct Subject {
    std::optional<std::string> user_id, jti;
    std::vector<std::string> rooms;  // out of which everybody may have been put
};

// Those after a position: of the user from any room, of everybody from one of the rooms, revocations of the user or the
// token. In no order. Inside a LogScope.
std::vector<Eviction> evictions_after(int64 after, const Subject &subject);

// Publish into pulse:system; the event's id.
int64 publish_eviction(const std::string &room, const std::optional<std::string> &user_id, const std::optional<std::string> &reason);
int64 publish_takeover(const std::string &key, int64 generation);

// Takes the right of tokens away and says so to the bridges.
struct Revocation {
    std::optional<std::string> user_id, jti, reason;
    std::optional<Datum> expires_at;
};
int64 revoke(const Revocation &revocation);
bool is_revoked(const auth::Context &context);  // inside a LogScope

// A claim of a context as text; nullopt when missing, null or no string.
std::optional<std::string> text_claim(const auth::Context &context, const char *name);

// As the owner, with plans that stay right however empty the tables were when they were made.
class LogScope {
public:
    explicit LogScope(Oid owner);

private:
    pg::OwnerScope owner_;
    pg::SettingScope settings_;
    pg::SpiSession spi_;
};

}  // namespace pulse::handle
