// Whom a token makes: the same for every protocol. Also what SQL is told of who asks.
#pragma once

#include <string>
#include <string_view>

#include "base/claims.hpp"
#include "base/result.hpp"
#include "handlers/services.hpp"

namespace bridge::handlers {

// Verified and not revoked; no token at all is nobody in particular, where that is allowed. Refusals are counted.
Result<ClaimsPtr> authenticate(Services &services, std::string_view token);

// One who asks by HTTP, without a session.
struct Asker {
    std::string ip, traceparent;
    std::string_view transport;
};
// The `context` of SQL's functions (docs/reference/bridge.md). Claims null: nobody is known, which is not the same as an empty token.
std::string context(const Claims *claims, const Asker &asker, std::string_view correlation_id);

}  // namespace bridge::handlers
