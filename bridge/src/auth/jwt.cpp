// Order of work: shape and size, algorithm, signature, and only then the payload's meaning. Nothing of an unsigned payload is read.
#include "auth/jwt.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/json.hpp"

namespace bridge::auth {

namespace {

constexpr std::size_t kMaxUserId = 250;         // `user:{id}` must be a room's name, at most 255 bytes
constexpr std::chrono::seconds kClockSkew{60};  // an issuer's clock may be ahead: `iat` is no promise to the holder
constexpr json::Limits kJsonLimits{65536, 32, true};

// The raw value of `key`, or nullopt; null counts as absent.
std::optional<std::string_view> find(const std::vector<json::Member> &members, std::string_view key) {
    for (const json::Member &member : members) {
        if (member.key == key && member.value != "null") return member.value;
    }
    return std::nullopt;
}

// NumericDate. Clamped to 1970 … 2223: system_clock counts nanoseconds and ends in 2262, and a leeway may be added.
std::optional<std::chrono::sys_seconds> numeric_date(std::string_view raw) {
    if (raw[0] != '-' && (raw[0] < '0' || raw[0] > '9')) return std::nullopt;
    const auto number = json::parse(raw);
    if (!number) return std::nullopt;
    const double seconds = std::clamp(std::floor(number->get<double>()), 0.0, 8e9);
    return std::chrono::sys_seconds(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

// False: present, but not a time.
bool read_date(const std::vector<json::Member> &members, std::string_view key, std::optional<std::chrono::sys_seconds> &out) {
    const auto raw = find(members, key);
    if (raw) out = numeric_date(*raw);
    return !raw || out;
}

// A JSON string, or the digits of an integer. False: neither, too long, or with NUL.
bool read_user_id(std::string_view raw, std::string &out) {
    if (raw[0] == '"') {
        auto text = json::unquote(raw);
        if (!text) return false;
        out = std::move(*text);
    } else {
        if (raw.find_first_not_of("0123456789") != std::string_view::npos) return false;
        out = raw;
    }
    return out.size() <= kMaxUserId && out.find('\0') == std::string::npos;
}

bool audience_fits(std::optional<std::string_view> raw, std::string_view wanted) {
    if (!raw) return false;
    if ((*raw)[0] != '[') {
        const auto text = json::unquote(*raw);
        return text && *text == wanted;
    }
    const auto list = json::elements(*raw);
    return list && std::any_of(list->begin(), list->end(), [wanted](std::string_view element) {
               const auto text = json::unquote(element);
               return text && *text == wanted;
           });
}

// The parts of a token, decoded, and what its header says.
struct Token {
    std::string payload, signature;
    std::string_view signed_text;
    std::optional<Algorithm> algorithm;  // nullopt: one that no key is for
    std::optional<std::string> kid;
};
std::optional<Token> split(std::string_view token, std::size_t most) {
    if (token.size() > most) return std::nullopt;
    const std::size_t first = token.find('.');
    const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
    const auto header_text = base64::decode_url(token.substr(0, first));
    auto payload = base64::decode_url(token.substr(first + 1, second - first - 1));
    auto signature = base64::decode_url(token.substr(second + 1));
    if (!header_text || !payload || !signature) return std::nullopt;

    const auto header = json::members(*header_text, kJsonLimits);
    if (!header || find(*header, "crit")) return std::nullopt;  // no extension is understood
    const auto alg = find(*header, "alg");
    const auto alg_name = alg ? json::unquote(*alg) : Result<std::string>(Errc::bad_request);
    if (!alg_name) return std::nullopt;
    Token out{std::move(*payload), std::move(*signature), token.substr(0, second), algorithm_named(*alg_name), {}};
    if (const auto kid = find(*header, "kid")) {
        auto text = json::unquote(*kid);
        if (!text) return std::nullopt;
        out.kid = std::move(*text);
    }
    return out;
}

}  // namespace

struct Verifier::State {
    VerifyOptions options;
    const Clock &clock;
    std::vector<Key> own, published;
    bool expects_published = false;

    // A key with a name is for tokens that name it, or none.
    bool signature_fits(const Token &token) const {
        const auto fits = [&](const Key &key) {
            return key.algorithm() == *token.algorithm && (key.kid().empty() || !token.kid || key.kid() == *token.kid) &&
                   key.verify(token.signed_text, token.signature);
        };
        return token.algorithm && (std::any_of(own.begin(), own.end(), fits) || std::any_of(published.begin(), published.end(), fits));
    }
    Verdict judge(std::string payload) const;
};

Verifier::Verifier(VerifyOptions options, const Clock &clock) : state_(new State{std::move(options), clock, {}, {}}) {}
Verifier::~Verifier() = default;
Verifier::Verifier(Verifier &&) noexcept = default;
Verifier &Verifier::operator=(Verifier &&) noexcept = default;

bool Verifier::has_keys() const { return state_->expects_published || !state_->own.empty() || !state_->published.empty(); }
std::chrono::seconds Verifier::leeway() const { return state_->options.leeway; }

Result<void> Verifier::add_secret(std::string_view secret) {
    BRIDGE_TRY(key, Key::secret(secret));
    state_->own.push_back(std::move(key));
    return {};
}

Result<void> Verifier::add_public_key(std::string_view pem) {
    BRIDGE_TRY(key, Key::pem(pem));
    state_->own.push_back(std::move(key));
    return {};
}

void Verifier::set_keys(std::vector<Key> keys) { state_->own = std::move(keys); }
void Verifier::expect_published() { state_->expects_published = true; }
void Verifier::set_published(std::vector<Key> keys) { state_->published = std::move(keys); }

bool Verifier::lacks_key(std::string_view token) const {
    const auto parts = split(token, state_->options.max_token_bytes);
    if (!parts || !parts->algorithm || !parts->kid || parts->kid->empty()) return false;
    const auto named = [&](const Key &key) { return key.kid() == *parts->kid; };
    return std::none_of(state_->published.begin(), state_->published.end(), named) && !state_->signature_fits(*parts);
}

Verdict Verifier::verify(std::string_view token) const {
    if (token.empty()) return Failure::missing;
    auto parts = split(token, state_->options.max_token_bytes);
    if (!parts) return Failure::malformed;
    if (!state_->signature_fits(*parts)) return Failure::signature;
    return state_->judge(std::move(parts->payload));
}

Verdict Verifier::State::judge(std::string payload) const {
    const auto members = json::members(payload, kJsonLimits);
    if (!members) return Failure::malformed;

    const auto now = std::chrono::floor<std::chrono::seconds>(clock.wall());
    std::optional<std::chrono::sys_seconds> exp, nbf, iat;
    if (!read_date(*members, "exp", exp) || !read_date(*members, "nbf", nbf) || !read_date(*members, "iat", iat) || !exp) {
        return Failure::malformed;
    }
    if (now >= *exp + options.leeway) return Failure::expired;
    if (nbf && now + options.leeway < *nbf) return Failure::not_yet_valid;
    if (iat && now + std::max(options.leeway, kClockSkew) < *iat) return Failure::not_yet_valid;
    if (!options.audience.empty() && !audience_fits(find(*members, "aud"), options.audience)) return Failure::audience;
    if (!options.issuer.empty()) {
        const auto raw = find(*members, "iss");
        const auto text = raw ? json::unquote(*raw) : Result<std::string>(Errc::bad_request);
        if (!text || *text != options.issuer) return Failure::issuer;
    }

    auto claims = std::make_shared<Claims>();
    const std::string_view chosen = options.user_claim;
    for (const std::string_view key : {chosen.empty() ? "userId" : chosen, chosen.empty() ? "sub" : chosen}) {
        const auto raw = find(*members, key);
        if (raw && !read_user_id(*raw, claims->user_id)) return Failure::malformed;
        if (!claims->user_id.empty()) break;
    }
    if (const auto raw = find(*members, "jti")) {
        auto text = json::unquote(*raw);
        if (!text) return Failure::malformed;
        claims->jti = std::move(*text);
    }
    if (const auto use = find(*members, "use")) claims->reconnect = json::unquote(*use).value_or("") == "reconnect";
    claims->expires_at = *exp + options.leeway;  // else a token inside the leeway would be let in and ended at once
    payload.shrink_to_fit();
    claims->json = std::move(payload);
    return ClaimsPtr(std::move(claims));
}

Result<std::string> mint(std::string_view payload, std::string_view secret, Algorithm algorithm) {
    BRIDGE_CHECK(Key::secret(secret, algorithm));
    BRIDGE_CHECK(json::members(payload, kJsonLimits));
    std::string token =
        base64::encode_url(R"({"alg":")" + std::string(name(algorithm)) + R"(","typ":"JWT"})") + '.' + base64::encode_url(payload);
    const std::string signature = hmac(algorithm, secret, token);
    if (signature.empty()) return Error{Errc::internal, "OpenSSL has no such HMAC", {}};
    return token + '.' + base64::encode_url(signature);
}

std::string_view reason(Failure failure) {
    switch (failure) {
        case Failure::missing: return "missing";
        case Failure::malformed: return "malformed";
        case Failure::signature: return "signature";
        case Failure::expired: return "expired";
        case Failure::not_yet_valid: return "not_yet_valid";
        case Failure::audience: return "audience";
        case Failure::issuer: return "issuer";
        case Failure::revoked: return "revoked";
        case Failure::forbidden: return "forbidden";
    }
    return "malformed";
}

std::string_view message(Failure failure) {
    switch (failure) {
        case Failure::missing: return "a token is required";
        case Failure::malformed: return "the token is malformed";
        case Failure::signature: return "the token's signature is not valid";
        case Failure::expired: return "the token has expired";
        case Failure::not_yet_valid: return "the token is not valid yet";
        case Failure::audience: return "the token is for another audience";
        case Failure::issuer: return "the token is from another issuer";
        case Failure::revoked: return "the token has been revoked";
        case Failure::forbidden: return "not allowed";
    }
    return "the token is malformed";
}

Error Verdict::error() const {
    const Errc code = failure_ == Failure::expired     ? Errc::token_expired
                      : failure_ == Failure::forbidden ? Errc::forbidden
                                                       : Errc::unauthenticated;
    Error out{code, std::string(message(failure_)), {}};
    out.reason = reason(failure_);
    return out;
}

}  // namespace bridge::auth
