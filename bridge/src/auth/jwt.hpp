// Verifies tokens (HS256, RS256, ES256 by OpenSSL EVP) and mints HS256 ones for `pulse-bridge token mint`. Each key is pinned to one
// algorithm: the token's `alg` only selects among keys of that algorithm, so `none` and "public key as HMAC secret" cannot work.
// Bounded work, never throws, never logs a token. The transport calls it at connect.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/claims.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

namespace bridge::auth {

enum class Algorithm { hs256, rs256, es256 };

// Why a token was refused; label of realtime_authentication_errors_total{reason}.
enum class Failure { missing, malformed, signature, expired, not_yet_valid, audience, issuer, revoked, forbidden };
std::string_view reason(Failure failure);   // metric label
std::string_view message(Failure failure);  // sentence for the client

struct VerifyOptions {
    std::string audience;  // empty: not checked
    std::string issuer;    // empty: not checked
    std::chrono::seconds leeway{0};
    std::size_t max_token_bytes = 8192;
};

// Verified claims, or the failure.
class [[nodiscard]] Verdict {
public:
    Verdict(ClaimsPtr claims) : claims_(std::move(claims)) {}
    Verdict(Failure failure) : failure_(failure) {}
    explicit operator bool() const { return claims_ != nullptr; }
    const ClaimsPtr &claims() const { return claims_; }
    Failure failure() const { return failure_; }
    Error error() const;  // Errc::unauthenticated (token_expired for expired) with message(failure())

private:
    ClaimsPtr claims_;
    Failure failure_ = Failure::missing;
};

class Verifier {
public:
    Verifier(VerifyOptions options, const Clock &clock);
    ~Verifier();
    Verifier(Verifier &&) noexcept;
    Verifier &operator=(Verifier &&) noexcept;

    // Before the loop starts. A secret shorter than 32 bytes and a key that is neither RSA ≥ 2048 bits nor P-256 are refused.
    Result<void> add_secret(std::string_view secret);
    Result<void> add_public_key(std::string_view pem);
    bool has_keys() const;

    // `exp` is demanded. An empty token is Failure::missing.
    Verdict verify(std::string_view token) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// `payload` is the JSON object to sign, as it is.
Result<std::string> mint_hs256(std::string_view payload, std::string_view secret);

// Does not tell by its time where the first difference is. Different lengths are unequal (the length is no secret).
bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace bridge::auth
