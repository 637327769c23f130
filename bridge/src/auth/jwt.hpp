// Verifies tokens and mints those of `pulse-bridge token mint`. Bounded work, never throws, never logs a token.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/key.hpp"
#include "base/claims.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

namespace bridge::auth {

// Why a token was refused; label of realtime_authentication_errors_total{reason}.
enum class Failure { missing, malformed, signature, expired, not_yet_valid, audience, issuer, revoked, forbidden };
std::string_view reason(Failure failure);   // metric label
std::string_view message(Failure failure);  // sentence for the client

struct VerifyOptions {
    std::string audience;  // empty: not checked
    std::string issuer;    // empty: not checked
    std::chrono::seconds leeway{0};
    std::string user_claim{};  // the claim that names the user; empty: `userId`, else `sub`
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

    Result<void> add_secret(std::string_view secret);  // for HS256
    Result<void> add_public_key(std::string_view pem);
    void set_keys(std::vector<Key> keys);       // in place of all that were added
    void set_published(std::vector<Key> keys);  // of a JWKS, in place of those before
    void expect_published();                    // there is a JWKS, though perhaps not yet
    bool has_keys() const;

    // It names a key that is not among the published ones, and no other fits: its issuer may have a new one.
    bool lacks_key(std::string_view token) const;
    std::chrono::seconds leeway() const;

    // `exp` is demanded. An empty token is Failure::missing.
    Verdict verify(std::string_view token) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// `payload` is the JSON object to sign, as it is.
Result<std::string> mint(std::string_view payload, std::string_view secret, Algorithm algorithm = Algorithm::hs256);

}  // namespace bridge::auth
