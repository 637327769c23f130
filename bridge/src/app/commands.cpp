// See commands.hpp.
#include "app/commands.hpp"

#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include "app/certificate.hpp"
#include "app/encoder.hpp"
#include "app/hint.hpp"
#include "app/jwks_read.hpp"
#include "app/keys.hpp"
#include "auth/jwt.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/rng.hpp"
#include "db/database.hpp"
#include "db/listener.hpp"
#include "hub/hub.hpp"
#include "loop/loop.hpp"

namespace bridge::app {

int mint_token(const config::Config &config, const config::TokenRequest &request, std::ostream &out, std::ostream &error) {
    if (config.jwt_secret.empty()) {
        error << "pulse-bridge: PULSE_JWT_SECRET is not set\n";
        return 2;
    }
    const auto token = auth::mint(config::payload(request, SystemClock().wall(), SystemRng().id().view()), config.jwt_secret,
                                  *auth::algorithm_named(config.jwt_algorithm));
    if (!token) {
        error << "pulse-bridge: " << token.error().detail << "\n";
        return 2;
    }
    out << *token << "\n";
    return 0;
}

int check(const config::Config &config, std::ostream &out, std::ostream &error) {
    constexpr auto kPatience = std::chrono::seconds(10);
    if (const auto valid = db::check_conninfo(config.database_url); !valid) {
        error << "pulse-bridge: " << valid.error().detail << "\n";
        return 2;
    }
    SystemClock clock;
    (void)make_verifier(config, clock);
    if (!config.jwt_jwks.empty()) {
        const std::atomic<bool> cancelled = false;
        if (const auto keys = read_jwks(config.jwt_jwks, cancelled); !keys) {
            error << "pulse-bridge: " << config.jwt_jwks << ": " << keys.error().detail << "\n";
            return 1;
        }
    }
    if (const auto tls = load_certificate(config, clock)) {
        if (const auto valid = tls->valid_at(clock.wall()); !valid) {
            error << "pulse-bridge: " << valid.error().detail << "\nhint: " << valid.error().hint << "\n";
            return 1;
        }
    }
    SystemRng rng;
    Metrics metrics("check", "");
    loop::Loop loop;
    FrameEncoder encoder(config.recovery);
    hub::Hub hub({}, encoder, clock, metrics);
    db::Database database(loop, rng, metrics, {.conninfo = config.database_url, .pool_size = 1});
    db::Listener listener(loop, rng, metrics, hub, {.conninfo = config.database_url, .bridge_name = "check"});
    database.start();
    listener.start();
    // A dispatcher may be starting; a refused connection or a missing function will not get better by waiting.
    auto look = loop.timer();
    const auto until = std::chrono::steady_clock::now() + kPatience;
    std::string failure;
    look->every(std::chrono::milliseconds(50), [&] {
        const db::Listener::Health health = listener.health();
        failure = health.connected ? database.last_failure() : health.detail;
        const bool good = health.reason.empty() && database.up();
        if (good || !failure.empty() || std::chrono::steady_clock::now() >= until) loop.stop();
    });
    loop.run();
    const db::Listener::Health health = listener.health();
    const bool up = database.up();
    listener.stop();
    database.stop();
    if (failure.empty() && health.reason.empty() && up) {
        out << "ok: connected, listening, a dispatcher is alive\n";
        return 0;
    }
    if (failure.empty()) failure = health.reason.empty() ? "the database does not answer" : health.reason;
    error << "pulse-bridge: " << failure << "\n";
    if (const std::string_view hint = hint_for(failure); !hint.empty()) error << "hint: " << hint << "\n";
    return 1;
}

}  // namespace bridge::app
