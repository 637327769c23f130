// Whom a token makes: the same for every protocol. Also what SQL is told of who asks.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/claims.hpp"
#include "base/result.hpp"
#include "handlers/services.hpp"

namespace bridge::handlers {

// What a client shows its token for. One with "use":"reconnect" is good for coming back and for nothing else, and no other is good for it.
enum class Use { bearer, reconnect };

// Verified and not revoked; no token at all, or no key to verify one with, is nobody in particular, where that is allowed. Refusals are
// counted.
Result<ClaimsPtr> authenticate(Services &services, std::string_view token, Use use = Use::bearer);

// True: the token names a key that nobody has heard of, and `then` is called later, once its issuer was asked. It is worth one wait.
bool await_key(Services &services, std::string_view token, std::function<void()> then);

// One who asks by HTTP, without a session.
struct Asker {
    std::string ip, traceparent;
    std::string_view transport;
};

// The `context` of SQL's functions (docs/reference/bridge.md); what is empty is left out.
struct Context {
    const Claims *claims;  // null, or without a payload: nobody is signed in
    std::string_view session_id{}, socket_id{}, nsp{}, ip{}, transport{}, correlation_id{}, traceparent{};
    std::string json() const;
};
std::string context(const Claims *claims, const Asker &asker, std::string_view correlation_id);

}  // namespace bridge::handlers
