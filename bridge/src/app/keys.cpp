// See keys.hpp.
#include "app/keys.hpp"

#include <chrono>
#include <stdexcept>
#include <string>

namespace bridge::app {

auth::Verifier make_verifier(const config::Config &config, const Clock &clock) {
    auth::Verifier verifier({.audience = config.jwt_audience,
                             .issuer = config.jwt_issuer,
                             .leeway = std::chrono::duration_cast<std::chrono::seconds>(config.jwt_leeway)},
                            clock);
    const auto must = [](const Result<void> &result, const std::string &where) {
        if (!result) throw std::runtime_error(where + ": " + result.error().detail);
    };
    if (!config.jwt_secret.empty()) must(verifier.add_secret(config.jwt_secret), "jwt-secret");
    for (std::size_t i = 0; i < config.jwt_public_keys.size(); ++i) {
        must(verifier.add_public_key(config.jwt_public_keys[i]), config.jwt_public_key_files[i]);
    }
    if (!verifier.has_keys() && !config.allow_anonymous) {
        throw std::runtime_error("no key to verify tokens with: set PULSE_JWT_SECRET or a public key, or allow anonymous clients");
    }
    return verifier;
}

}  // namespace bridge::app
