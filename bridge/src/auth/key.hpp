// A key to verify signatures with, pinned to one algorithm: what a token says about itself only selects among keys, so `none` and "the
// public key as an HMAC secret" cannot work. Cheap to copy; never throws, never logs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

struct evp_pkey_st;

namespace bridge::auth {

enum class Algorithm : std::uint8_t { hs256, hs384, hs512, rs256, es256, eddsa };
std::optional<Algorithm> algorithm_named(std::string_view name);  // as in a token's header
std::string_view name(Algorithm algorithm);
bool is_hmac(Algorithm algorithm);

class Key {
public:
    // At least as long as the hash (RFC 7518 §3.2).
    static Result<Key> secret(std::string_view secret, Algorithm algorithm = Algorithm::hs256, std::string kid = {});
    // RSA of 2048 to 8192 bits (RS256), P-256 (ES256) or Ed25519 (EdDSA).
    static Result<Key> pem(std::string_view text);
    // Of a JWKS, as the JSON object's numbers: base64url, big-endian.
    static Result<Key> rsa(std::string_view n, std::string_view e, std::string kid);
    static Result<Key> p256(std::string_view x, std::string_view y, std::string kid);
    static Result<Key> ed25519(std::string_view x, std::string kid);

    Algorithm algorithm() const { return algorithm_; }
    const std::string &kid() const { return kid_; }  // empty: it has none, and may be anybody's
    bool verify(std::string_view signed_text, std::string_view signature) const;

private:
    using Shared = std::shared_ptr<evp_pkey_st>;
    Key(Algorithm algorithm, std::string kid, std::string secret, Shared public_key)
        : algorithm_(algorithm), kid_(std::move(kid)), secret_(std::move(secret)), public_(std::move(public_key)) {}
    static Result<Key> of(Shared key, std::string kid);

    Algorithm algorithm_;
    std::string kid_, secret_;
    Shared public_;
};

// Empty when OpenSSL cannot.
std::string hmac(Algorithm algorithm, std::string_view secret, std::string_view text);

// Does not tell by its time where the first difference is. Different lengths are unequal (the length is no secret).
bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace bridge::auth
