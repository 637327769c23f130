// See keys.hpp.
#include "app/keys.hpp"

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/log.hpp"

namespace bridge::app {

namespace {

Result<std::vector<auth::Key>> keys_of(const config::Config &config) {
    std::vector<auth::Key> keys;
    const auto add = [&keys](Result<auth::Key> key, const std::string &where) -> Result<void> {
        if (!key) return Error{Errc::invalid, where + ": " + key.error().detail, {}};
        keys.push_back(std::move(*key));
        return {};
    };
    if (!config.jwt_secret.empty()) {
        const auto algorithm = auth::algorithm_named(config.jwt_algorithm).value_or(auth::Algorithm::hs256);
        BRIDGE_CHECK(add(auth::Key::secret(config.jwt_secret, algorithm), "jwt-secret"));
    }
    for (std::size_t i = 0; i < config.jwt_public_keys.size(); ++i) {
        BRIDGE_CHECK(add(auth::Key::pem(config.jwt_public_keys[i]), config.jwt_public_key_files[i]));
    }
    return keys;
}

}  // namespace

auth::Verifier make_verifier(const config::Config &config, const Clock &clock) {
    auth::Verifier verifier({.audience = config.jwt_audience,
                             .issuer = config.jwt_issuer,
                             .leeway = std::chrono::duration_cast<std::chrono::seconds>(config.jwt_leeway),
                             .user_claim = config.jwt_user_claim},
                            clock);
    auto keys = keys_of(config);
    if (!keys) throw std::runtime_error(keys.error().detail);
    verifier.set_keys(std::move(*keys));
    if (!verifier.has_keys() && config.jwt_jwks.empty() && !config.allow_anonymous) {
        throw std::runtime_error("no key to verify tokens with: set PULSE_JWT_SECRET, a public key or a JWKS, or allow anonymous clients");
    }
    return verifier;
}

void reload_keys(const config::Config &config, auth::Verifier &verifier) {
    if (config.jwt_secret_file.empty() && config.jwt_public_key_files.empty()) return;
    config::Config fresh = config;
    auto keys = [&]() -> Result<std::vector<auth::Key>> {
        BRIDGE_CHECK(config::read_key_files(fresh));
        return keys_of(fresh);
    }();
    if (!keys) return log::error("keys not reloaded", {{"reason", keys.error().detail}});
    verifier.set_keys(std::move(*keys));
    log::info("keys reloaded", {});
}

}  // namespace bridge::app
