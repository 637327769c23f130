// The table. A setter gets one text (a list: any number; a flag: true or false) and says in its error what it expected.
#include "config/schema.hpp"

#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/address.hpp"

namespace bridge::config {

namespace {

using Values = std::vector<std::string>;

template <class Int>
Result<Int> whole(const std::string &text, Int least, Int most) {
    Int value{};
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
        return Error{
            Errc::invalid, "'" + text + "' is not a whole number from " + std::to_string(least) + " to " + std::to_string(most), {}};
    }
    return value;
}

template <auto Field>
Result<void> set_text(Config &config, const Values &values) {
    config.*Field = values.front();
    return {};
}
template <auto Field>
Values get_text(const Config &config) {
    return {config.*Field};
}

template <auto Field>
Result<void> set_list(Config &config, const Values &values) {
    config.*Field = values;
    return {};
}
template <auto Field>
Values get_list(const Config &config) {
    return config.*Field;
}

template <auto Field>
Result<void> set_endpoint(Config &config, const Values &values) {
    BRIDGE_TRY(endpoint, parse_endpoint(values.front()));
    config.*Field = std::move(endpoint);
    return {};
}
template <auto Field>
Values get_endpoint(const Config &config) {
    return {(config.*Field).text()};
}

template <auto Field, std::int64_t Least>
Result<void> set_duration(Config &config, const Values &values) {
    BRIDGE_TRY(duration, parse_duration(values.front()));
    if (duration.count() < Least) {
        return Error{Errc::invalid, "'" + values.front() + "' is shorter than " + format_duration(milliseconds(Least)), {}};
    }
    config.*Field = duration;
    return {};
}
template <auto Field>
Values get_duration(const Config &config) {
    return {format_duration(config.*Field)};
}

template <auto Field, std::int64_t Least, std::int64_t Most>
Result<void> set_number(Config &config, const Values &values) {
    BRIDGE_TRY(number, whole<std::int64_t>(values.front(), Least, Most));
    config.*Field = static_cast<std::remove_reference_t<decltype(config.*Field)>>(number);
    return {};
}
template <auto Field>
Values get_number(const Config &config) {
    return {std::to_string(config.*Field)};
}

template <auto Field>
Result<void> set_flag(Config &config, const Values &values) {
    const std::string &text = values.front();
    if (text != "true" && text != "false") return Error{Errc::invalid, "'" + text + "' is neither true nor false", {}};
    config.*Field = text == "true";
    return {};
}
template <auto Field>
Values get_flag(const Config &config) {
    return {config.*Field ? "true" : "false"};
}

Result<std::string> read_file(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return Error{Errc::invalid, "cannot read '" + path + "'", {}};
    std::string text{std::istreambuf_iterator<char>(in), {}};
    return text;
}

// A file with one secret in it; the newline that editors add does not belong to it.
template <auto PathField, auto SecretField>
Result<void> set_secret_file(Config &config, const Values &values) {
    config.*PathField = values.front();
    if (values.front().empty()) return {};
    BRIDGE_TRY(text, read_file(values.front()));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    if (text.empty()) return Error{Errc::invalid, "'" + values.front() + "' is empty", {}};
    if (!(config.*SecretField).empty()) return Error{Errc::invalid, "the secret is given twice: by value and by file", {}};
    config.*SecretField = std::move(text);
    return {};
}

std::string trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r";
    const std::size_t first = text.find_first_not_of(kSpace);
    return first == std::string_view::npos ? std::string() : std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

Result<void> set_internal_tokens(Config &config, const Values &values) {
    config.internal_tokens.clear();
    for (const std::string &value : values) {
        if (std::string token = trimmed(value); !token.empty()) config.internal_tokens.push_back(std::move(token));
    }
    return {};
}

Result<void> set_internal_token_file(Config &config, const Values &values) {
    config.internal_token_file = values.front();
    if (values.front().empty()) return {};
    if (!config.internal_tokens.empty()) return Error{Errc::invalid, "the secret is given twice: by value and by file", {}};
    BRIDGE_TRY(tokens, read_internal_tokens(values.front()));
    config.internal_tokens = std::move(tokens);
    return {};
}

Result<void> set_public_keys(Config &config, const Values &values) {
    config.jwt_public_key_files = values;
    config.jwt_public_keys.clear();
    for (const std::string &path : values) {
        BRIDGE_TRY(text, read_file(path));
        config.jwt_public_keys.push_back(std::move(text));
    }
    return {};
}

Result<void> set_algorithm(Config &config, const Values &values) {
    const std::string &text = values.front();
    if (text != "HS256" && text != "HS384" && text != "HS512")
        return Error{Errc::invalid, "'" + text + "' is none of HS256, HS384, HS512", {}};
    config.jwt_algorithm = text;
    return {};
}

// Whoever can change the keys on their way can be anybody.
Result<void> set_jwks(Config &config, const Values &values) {
    const std::string &source = values.front();
    constexpr std::string_view kPlain = "http://";
    if (source.starts_with(kPlain)) {
        const std::string_view rest = std::string_view(source).substr(kPlain.size());
        const std::string_view host = rest.substr(0, rest.find_first_of(rest.starts_with('[') ? "]" : ":/"));
        if (host != "127.0.0.1" && host != "localhost" && host != "[::1") {
            return Error{Errc::invalid, "'" + source + "' is not safe on its way", "use https://, or a file"};
        }
    } else if (source.find("://") != std::string::npos && !source.starts_with("https://")) {
        return Error{Errc::invalid, "'" + source + "' is neither a path nor a URL with https://", {}};
    }
    config.jwt_jwks = source;
    return {};
}

Result<void> set_tls_min(Config &config, const Values &values) {
    const std::string &text = values.front();
    if (text != "1.2" && text != "1.3") return Error{Errc::invalid, "'" + text + "' is neither 1.3 nor 1.2", "older versions are not safe"};
    config.tls_min = text;
    return {};
}

Result<void> set_proxies(Config &config, const Values &values) {
    for (const std::string &text : values) {
        if (Network::parse(text)) continue;
        return Error{Errc::invalid, "'" + text + "' is not an address or a network", "write 10.0.0.7, 10.0.0.0/8 or fd00::/8"};
    }
    config.trusted_proxies = values;
    return {};
}

constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};

Result<void> set_level(Config &config, const Values &values) {
    for (std::size_t i = 0; i < std::size(kLevels); ++i) {
        if (values.front() == kLevels[i]) {
            config.log_level = static_cast<log::Level>(i);
            return {};
        }
    }
    return Error{Errc::invalid, "'" + values.front() + "' is none of debug, info, warn, error", {}};
}
Values get_level(const Config &config) { return {std::string(kLevels[static_cast<std::size_t>(config.log_level)])}; }

using F = Setting::Form;
using C = Config;
constexpr std::int64_t kGiB = 1LL << 30;

const Setting kSettings[] = {
    {"listen", F::value, false, "HOST:PORT", "public listener: clients", set_endpoint<&C::listen>, get_endpoint<&C::listen>},
    {"internal-listen", F::value, false, "HOST:PORT", "internal listener: /internal, /metrics, /health", set_endpoint<&C::internal_listen>,
     get_endpoint<&C::internal_listen>},
    {"database-url", F::value, false, "URL", "libpq connection string of a role with pulse_bridge", set_text<&C::database_url>,
     get_text<&C::database_url>},
    {"pool-size", F::value, false, "N", "connections for queries, beside the one that listens", set_number<&C::pool_size, 1, 1000>,
     get_number<&C::pool_size>},
    {"jwt-secret", F::value, true, "TEXT", "secret of HMAC tokens, at least 32 bytes", set_text<&C::jwt_secret>, get_text<&C::jwt_secret>},
    {"jwt-secret-file", F::value, false, "PATH", "file with that secret; SIGHUP reads it again",
     set_secret_file<&C::jwt_secret_file, &C::jwt_secret>, get_text<&C::jwt_secret_file>},
    {"jwt-algorithm", F::value, false, "NAME", "of the secret: HS256, HS384 or HS512", set_algorithm, get_text<&C::jwt_algorithm>},
    {"jwt-public-key-file", F::list, false, "PATH", "PEM public key: RSA for RS256, P-256 for ES256, Ed25519 for EdDSA; repeatable",
     set_public_keys, get_list<&C::jwt_public_key_files>},
    {"jwt-jwks", F::value, false, "SOURCE", "JWKS with public keys: a path, or a URL with https", set_jwks, get_text<&C::jwt_jwks>},
    {"jwt-jwks-refresh", F::value, false, "TIME", "time between readings of the JWKS", set_duration<&C::jwt_jwks_refresh, 100>,
     get_duration<&C::jwt_jwks_refresh>},
    {"jwt-jwks-min-interval", F::value, false, "TIME", "least time between readings that unknown keys cause",
     set_duration<&C::jwt_jwks_min_interval, 100>, get_duration<&C::jwt_jwks_min_interval>},
    {"jwt-audience", F::value, false, "TEXT", "demanded in aud; empty: not checked", set_text<&C::jwt_audience>,
     get_text<&C::jwt_audience>},
    {"jwt-issuer", F::value, false, "TEXT", "demanded in iss; empty: not checked", set_text<&C::jwt_issuer>, get_text<&C::jwt_issuer>},
    {"jwt-user-claim", F::value, false, "NAME", "claim that names the user; empty: userId, else sub", set_text<&C::jwt_user_claim>,
     get_text<&C::jwt_user_claim>},
    {"jwt-leeway", F::value, false, "TIME", "how far the clocks of issuer and bridge may differ", set_duration<&C::jwt_leeway, 0>,
     get_duration<&C::jwt_leeway>},
    {"internal-token", F::list, true, "TEXT", "secrets of internal routes, each good; none: they refuse everybody", set_internal_tokens,
     get_list<&C::internal_tokens>},
    {"internal-token-file", F::value, false, "PATH", "file with the internal tokens, one a line; SIGHUP reads it again",
     set_internal_token_file, get_text<&C::internal_token_file>},
    {"allow-anonymous", F::flag, false, "", "let clients connect without a token", set_flag<&C::allow_anonymous>,
     get_flag<&C::allow_anonymous>},
    {"cors-origin", F::list, false, "ORIGIN", "browsers' origins let in, * for any; repeatable", set_list<&C::cors_origins>,
     get_list<&C::cors_origins>},
    {"trust-proxy", F::list, false, "NETWORK", "addresses of proxies whose X-Forwarded-For is believed; repeatable", set_proxies,
     get_list<&C::trusted_proxies>},
    {"tls-cert-file", F::value, false, "PATH", "PEM certificate chain; with it the public listener speaks TLS, SIGHUP reads it again",
     set_text<&C::tls_cert_file>, get_text<&C::tls_cert_file>},
    {"tls-key-file", F::value, false, "PATH", "PEM private key of it", set_text<&C::tls_key_file>, get_text<&C::tls_key_file>},
    {"tls-min", F::value, false, "VERSION", "oldest TLS version: 1.3 or 1.2", set_tls_min, get_text<&C::tls_min>},
    {"internal-tls", F::flag, false, "", "the internal listener speaks TLS too", set_flag<&C::internal_tls>, get_flag<&C::internal_tls>},
    {"ping-interval", F::value, false, "TIME", "time between heartbeats", set_duration<&C::ping_interval, 10>,
     get_duration<&C::ping_interval>},
    {"ping-timeout", F::value, false, "TIME", "time to answer one", set_duration<&C::ping_timeout, 10>, get_duration<&C::ping_timeout>},
    {"connect-timeout", F::value, false, "TIME", "time until a socket has joined a namespace", set_duration<&C::connect_timeout, 10>,
     get_duration<&C::connect_timeout>},
    {"header-timeout", F::value, false, "TIME", "time for the head of a request", set_duration<&C::header_timeout, 10>,
     get_duration<&C::header_timeout>},
    {"body-timeout", F::value, false, "TIME", "time for its body", set_duration<&C::body_timeout, 10>, get_duration<&C::body_timeout>},
    {"keep-alive-timeout", F::value, false, "TIME", "time until the next request on an idle connection",
     set_duration<&C::keep_alive_timeout, 10>, get_duration<&C::keep_alive_timeout>},
    {"sse-retry", F::value, false, "TIME", "what an EventSource is told to wait before it comes back", set_duration<&C::sse_retry, 0>,
     get_duration<&C::sse_retry>},
    {"drain-timeout", F::value, false, "TIME", "time until the last client has left after SIGTERM", set_duration<&C::drain_timeout, 0>,
     get_duration<&C::drain_timeout>},
    {"drain-rate", F::value, false, "N", "clients told to leave a second after SIGTERM", set_number<&C::drain_rate, 1, 1'000'000>,
     get_number<&C::drain_rate>},
    {"max-payload", F::value, false, "BYTES", "largest message of a client", set_number<&C::max_payload, 1000, kGiB>,
     get_number<&C::max_payload>},
    {"max-connections", F::value, false, "N", "open sockets", set_number<&C::max_connections, 1, 10'000'000>,
     get_number<&C::max_connections>},
    {"max-connections-per-ip", F::value, false, "N", "open sockets of one address, or of one /64 of IPv6; 0: no limit",
     set_number<&C::max_connections_per_ip, 0, 10'000'000>, get_number<&C::max_connections_per_ip>},
    {"connect-rate", F::value, false, "N", "new connections a second; 0: no limit", set_number<&C::connect_rate, 0, 1'000'000>,
     get_number<&C::connect_rate>},
    {"max-header-bytes", F::value, false, "BYTES", "largest head of a request", set_number<&C::max_header_bytes, 1000, 1 << 20>,
     get_number<&C::max_header_bytes>},
    {"event-rate", F::value, false, "N", "events of one session a second, twice as many at once; 0: no limit",
     set_number<&C::event_rate, 0, 1'000'000>, get_number<&C::event_rate>},
    {"max-rooms", F::value, false, "N", "rooms of one session", set_number<&C::max_rooms, 1, 1'000'000>, get_number<&C::max_rooms>},
    {"max-queue-bytes", F::value, false, "BYTES", "waiting for one slow socket before it is disconnected",
     set_number<&C::max_queue_bytes, 1000, kGiB>, get_number<&C::max_queue_bytes>},
    {"replay-buffer-bytes", F::value, false, "BYTES", "recent events kept for joins", set_number<&C::replay_buffer_bytes, 0, 64 * kGiB>,
     get_number<&C::replay_buffer_bytes>},
    {"recovery", F::flag, false, "", "let sessions be continued after a cut (on; --no-recovery)", set_flag<&C::recovery>,
     get_flag<&C::recovery>},
    {"recovery-max-events", F::value, false, "N", "missed by a session before it must read the state anew",
     set_number<&C::recovery_max_events, 1, 10'000'000>, get_number<&C::recovery_max_events>},
    {"handler-queue", F::value, false, "N", "inbound events waiting for one session", set_number<&C::handler_queue, 1, 100'000>,
     get_number<&C::handler_queue>},
    {"engineio-echo", F::flag, false, "", "a testing aid: /engine.io/ sends back what comes", set_flag<&C::engineio_echo>,
     get_flag<&C::engineio_echo>},
    {"log-level", F::value, false, "LEVEL", "debug, info, warn or error", set_level, get_level},
};

}  // namespace

std::string Setting::environment_name() const {
    std::string out = "PULSE_";
    for (const char c : name) out += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return out;
}

std::span<const Setting> settings() { return kSettings; }

Result<std::vector<std::string>> read_internal_tokens(const std::string &path) {
    BRIDGE_TRY(text, read_file(path));
    std::vector<std::string> tokens;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (std::string token = trimmed(line); !token.empty()) tokens.push_back(std::move(token));
    }
    if (tokens.empty()) return Error{Errc::invalid, "'" + path + "' is empty", {}};
    return tokens;
}

Result<void> read_key_files(Config &config) {
    if (!config.jwt_secret_file.empty()) {
        config.jwt_secret.clear();
        BRIDGE_CHECK(set_secret_file<&Config::jwt_secret_file, &Config::jwt_secret>(config, {config.jwt_secret_file}));
    }
    return set_public_keys(config, Values(config.jwt_public_key_files));
}

}  // namespace bridge::config
