// Who a client is: the verified token as plain data. auth makes it, hub shares it between the sessions of a connection, db hands
// the raw text to SQL. It lies in base because those three never include each other.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace bridge {

struct Claims {
    std::string json;                                    // the token's payload, byte for byte as it was signed; empty: no key verified one
    std::string user_id;                                 // `userId`, else `sub`; empty: anonymous
    std::string jti;                                     // empty: none
    std::optional<std::chrono::sys_seconds> expires_at;  // with the leeway; system_clock can hold it
    bool reconnect = false;                              // "use":"reconnect": good for coming back, and for nothing else
};
using ClaimsPtr = std::shared_ptr<const Claims>;

}  // namespace bridge
