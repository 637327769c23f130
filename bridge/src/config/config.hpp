// One schema for flags, PULSE_* environment variables and a file, in that order of strength. main calls load() before the loop
// starts; every error names the key. Secrets are never flags: they come from the environment or a file.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"

namespace bridge::config {

using std::chrono::milliseconds;

struct Endpoint {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    std::string text() const;
};

struct Config {
    Endpoint listen{"127.0.0.1", 8080};
    Endpoint internal_listen{"127.0.0.1", 8081};
    std::string database_url;
    int pool_size = 4;

    std::string jwt_secret;                    // of HMAC; empty: none
    std::string jwt_algorithm = "HS256";       // of the secret
    std::string jwt_secret_file;               // where jwt_secret came from; empty: not from a file
    std::vector<std::string> jwt_public_keys;  // PEM texts, RS256, ES256 or EdDSA by the key's type
    std::vector<std::string> jwt_public_key_files;
    std::string jwt_audience;  // empty: not checked
    std::string jwt_issuer;    // empty: not checked
    milliseconds jwt_leeway{0};
    std::string jwt_user_claim;  // empty: userId, else sub
    std::string jwt_jwks;        // a path or a URL; empty: none
    milliseconds jwt_jwks_refresh{300'000};
    milliseconds jwt_jwks_min_interval{10'000};  // of readings that unknown keys cause
    std::vector<std::string> internal_tokens;    // none: /internal/* refuses everybody
    std::string internal_token_file;             // where they came from; empty: not from a file
    bool allow_anonymous = false;
    std::vector<std::string> cors_origins;     // empty: same origin only; "*": any
    std::vector<std::string> trusted_proxies;  // networks whose X-Forwarded-For is believed

    std::string tls_cert_file, tls_key_file;  // empty: plain
    std::string tls_min = "1.3";              // or "1.2"
    bool internal_tls = false;                // the internal listener too

    milliseconds ping_interval{25'000};
    milliseconds ping_timeout{20'000};
    milliseconds connect_timeout{45'000};
    milliseconds header_timeout{10'000};  // a request's head, from the connection's begin or its first byte
    milliseconds body_timeout{15'000};
    milliseconds keep_alive_timeout{75'000};  // an idle HTTP connection between requests
    milliseconds drain_timeout{10'000};
    std::uint32_t drain_rate = 2000;      // connections told to leave, a second
    std::size_t max_payload = 1'000'000;  // bytes of one message
    std::size_t max_header_bytes = 16'384;
    std::size_t max_connections = 100'000;
    std::size_t max_connections_per_ip = 0;   // 0: no limit
    std::uint32_t connect_rate = 0;           // new connections a second; 0: no limit
    std::uint32_t event_rate = 0;             // events of one session a second; 0: no limit
    std::size_t max_rooms = 10'000;           // of one session
    std::size_t max_queue_bytes = 1'048'576;  // waiting for one slow socket
    std::size_t replay_buffer_bytes = 16'777'216;
    milliseconds sse_retry{3000};              // what EventSource waits before it comes back
    bool recovery = true;                      // sessions can be continued after a cut
    std::size_t recovery_max_events = 10'000;  // missed by one session; more: it must read the state anew
    std::size_t handler_queue = 100;           // inbound events waiting for one session
    bool engineio_echo = false;                // a testing aid: /engine.io/ sends back what comes
    log::Level log_level = log::Level::info;
};

enum class Command { serve, check, version, token_mint, print_config };

struct TokenRequest {
    std::string user;
    std::vector<std::pair<std::string, std::string>> claims;  // name, value: JSON when it is JSON, else a string
    std::chrono::seconds expires{24 * 3600};
    bool reconnect = false;
};

struct Invocation {
    Command command = Command::serve;
    Config config;
    TokenRequest token;  // for token_mint
    std::string help;    // not empty: print it to stdout and end with 0
};

// argv and the environment → what to do. Never throws and never exits. `environment` is environ, or a test's own.
Result<Invocation> load(int argc, const char *const *argv, const char *const *environment);

// Reads the secret and the public keys again that came from files.
Result<void> read_key_files(Config &config);

// The effective configuration as the config file would say it; secrets are `***`, a password in the database URL too.
std::string print(const Config &config);

// The JSON to sign for a token request; `id` is its jti.
std::string payload(const TokenRequest &request, std::chrono::system_clock::time_point now, std::string_view id);

// A file of internal tokens, one a line; none is an error.
Result<std::vector<std::string>> read_internal_tokens(const std::string &path);

// "25s" "20ms" "5m" "24h" "1d", or a bare number of seconds.
Result<milliseconds> parse_duration(std::string_view text);
std::string format_duration(milliseconds duration);
Result<Endpoint> parse_endpoint(std::string_view text);  // host:port, [::1]:8080

}  // namespace bridge::config
