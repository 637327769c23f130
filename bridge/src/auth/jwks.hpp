// A JSON Web Key Set (RFC 7517): the public keys of an issuer, each with a name (kid), so that it can change them while tokens live.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/key.hpp"

namespace bridge::auth {

struct Jwks {
    std::vector<Key> keys;
    std::vector<std::string> ignored;  // why, for the log: keys for something else, or of a kind that no token here may have
};

enum class Secrets { taken, ignored };  // `oct` keys: in a file they may be, in what a server gives to everybody they are none

// A document that is no JWKS, or has no key that can be used, is an error.
Result<Jwks> parse_jwks(std::string_view text, Secrets secrets);

inline constexpr std::size_t kMaxJwksBytes = 256 * 1024;

}  // namespace bridge::auth
