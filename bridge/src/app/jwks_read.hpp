// The text of a JWKS, from a file or by HTTPS. Blocks: called in a thread of its own, or by `check`.
#pragma once

#include <atomic>
#include <string>

#include "auth/jwks.hpp"

namespace bridge::app {

bool is_url(const std::string &source);

// Ends early once `cancelled` is set. Redirects are not followed: the keys come from where the configuration says, or not at all.
Result<auth::Jwks> read_jwks(const std::string &source, const std::atomic<bool> &cancelled);

}  // namespace bridge::app
