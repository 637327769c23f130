// Order of work: shape and size, algorithm, signature, and only then the payload's meaning. Nothing of an unsigned payload is read.
#include "auth/jwt.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/base64.hpp"
#include "base/json.hpp"

namespace bridge::auth {

namespace {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T *p) const {
        Free(p);
    }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free>>;
using SignaturePtr = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>>;

constexpr std::size_t kMinSecret = 32;  // RFC 7518 §3.2: as long as the hash, or HS256 is only as strong as the secret
constexpr int kMinRsaBits = 2048;
constexpr std::size_t kP256Half = 32;
constexpr std::size_t kMaxUserId = 250;         // `user:{id}` must be a room's name, at most 255 bytes
constexpr std::chrono::seconds kClockSkew{60};  // an issuer's clock may be ahead: `iat` is no promise to the holder
constexpr json::Limits kJsonLimits{65536, 32, true};

const unsigned char *bytes(std::string_view text) { return reinterpret_cast<const unsigned char *>(text.data()); }

struct Key {
    Algorithm algorithm;
    std::string secret;  // hs256
    KeyPtr pem;          // rs256, es256
};

Result<void> check_secret(std::string_view secret) {
    if (secret.size() >= kMinSecret) return {};
    return Error{
        Errc::invalid, "the JWT secret is shorter than " + std::to_string(kMinSecret) + " bytes; make one by: openssl rand -hex 32", {}};
}

std::string hmac_sha256(std::string_view secret, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    std::size_t size = 0;
    if (!EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, secret.data(), secret.size(), bytes(text), text.size(), out.data(),
                   out.size(), &size)) {
        return {};
    }
    return {reinterpret_cast<const char *>(out.data()), size};
}

// r and s as JWT has them, in DER as OpenSSL wants them. Empty: impossible.
std::string es256_to_der(std::string_view raw) {
    if (raw.size() != 2 * kP256Half) return {};
    SignaturePtr signature(ECDSA_SIG_new());
    BIGNUM *r = BN_bin2bn(bytes(raw), kP256Half, nullptr);
    BIGNUM *s = BN_bin2bn(bytes(raw.substr(kP256Half)), kP256Half, nullptr);
    if (!signature || !r || !s || !ECDSA_SIG_set0(signature.get(), r, s)) {
        BN_free(r);
        BN_free(s);
        return {};
    }
    unsigned char *der = nullptr;
    const int size = i2d_ECDSA_SIG(signature.get(), &der);
    if (size <= 0) return {};
    std::string out(reinterpret_cast<const char *>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return out;
}

bool verify_with_public_key(EVP_PKEY *key, std::string_view signed_text, std::string_view signature) {
    DigestPtr context(EVP_MD_CTX_new());
    const bool good = context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
                      EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(signed_text), signed_text.size()) == 1;
    ERR_clear_error();
    return good;
}

bool verify_with(const Key &key, std::string_view signed_text, std::string_view signature) {
    switch (key.algorithm) {
        case Algorithm::hs256: {
            const std::string expected = hmac_sha256(key.secret, signed_text);
            return !expected.empty() && constant_time_equal(expected, signature);
        }
        case Algorithm::rs256: return verify_with_public_key(key.pem.get(), signed_text, signature);
        case Algorithm::es256: {
            const std::string der = es256_to_der(signature);
            return !der.empty() && verify_with_public_key(key.pem.get(), signed_text, der);
        }
    }
    return false;
}

std::optional<Algorithm> algorithm_named(std::string_view name) {
    if (name == "HS256") return Algorithm::hs256;
    if (name == "RS256") return Algorithm::rs256;
    if (name == "ES256") return Algorithm::es256;
    return std::nullopt;
}

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

}  // namespace

struct Verifier::State {
    VerifyOptions options;
    const Clock &clock;
    std::vector<Key> keys;

    bool signature_fits(Algorithm algorithm, std::string_view signed_text, std::string_view signature) const {
        return std::any_of(keys.begin(), keys.end(),
                           [&](const Key &key) { return key.algorithm == algorithm && verify_with(key, signed_text, signature); });
    }
    Verdict judge(std::string payload) const;
};

Verifier::Verifier(VerifyOptions options, const Clock &clock) : state_(new State{std::move(options), clock, {}}) {}
Verifier::~Verifier() = default;
Verifier::Verifier(Verifier &&) noexcept = default;
Verifier &Verifier::operator=(Verifier &&) noexcept = default;

bool Verifier::has_keys() const { return !state_->keys.empty(); }

Result<void> Verifier::add_secret(std::string_view secret) {
    BRIDGE_CHECK(check_secret(secret));
    state_->keys.push_back({Algorithm::hs256, std::string(secret), nullptr});
    return {};
}

Result<void> Verifier::add_public_key(std::string_view pem) {
    BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    KeyPtr key(in ? PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, nullptr) : nullptr);
    ERR_clear_error();
    if (!key) return Error{Errc::invalid, "not a PEM public key", {}};
    if (EVP_PKEY_is_a(key.get(), "RSA")) {
        if (EVP_PKEY_get_bits(key.get()) < kMinRsaBits) return Error{Errc::invalid, "RSA key shorter than 2048 bits", {}};
        state_->keys.push_back({Algorithm::rs256, {}, std::move(key)});
        return {};
    }
    std::array<char, 32> group{};
    if (EVP_PKEY_is_a(key.get(), "EC") &&
        EVP_PKEY_get_utf8_string_param(key.get(), OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(), nullptr) == 1 &&
        std::string_view(group.data()) == "prime256v1") {
        state_->keys.push_back({Algorithm::es256, {}, std::move(key)});
        return {};
    }
    return Error{Errc::invalid, "the key is neither RSA (RS256) nor on curve P-256 (ES256)", {}};
}

Verdict Verifier::verify(std::string_view token) const {
    if (token.empty()) return Failure::missing;
    if (token.size() > state_->options.max_token_bytes) return Failure::malformed;
    const std::size_t first = token.find('.');
    const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return Failure::malformed;

    const auto header_text = base64::decode_url(token.substr(0, first));
    auto payload = base64::decode_url(token.substr(first + 1, second - first - 1));
    const auto signature = base64::decode_url(token.substr(second + 1));
    if (!header_text || !payload || !signature) return Failure::malformed;

    const auto header = json::members(*header_text, kJsonLimits);
    if (!header || find(*header, "crit")) return Failure::malformed;  // no extension is understood
    const auto alg = find(*header, "alg");
    const auto alg_name = alg ? json::unquote(*alg) : Result<std::string>(Errc::bad_request);
    if (!alg_name) return Failure::malformed;
    const auto algorithm = algorithm_named(*alg_name);
    if (!algorithm || !state_->signature_fits(*algorithm, token.substr(0, second), *signature)) return Failure::signature;
    return state_->judge(std::move(*payload));
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
    for (const std::string_view key : {"userId", "sub"}) {
        const auto raw = find(*members, key);
        if (raw && !read_user_id(*raw, claims->user_id)) return Failure::malformed;
        if (!claims->user_id.empty()) break;
    }
    if (const auto raw = find(*members, "jti")) {
        auto text = json::unquote(*raw);
        if (!text) return Failure::malformed;
        claims->jti = std::move(*text);
    }
    claims->expires_at = *exp + options.leeway;  // else a token inside the leeway would be let in and ended at once
    payload.shrink_to_fit();
    claims->json = std::move(payload);
    return ClaimsPtr(std::move(claims));
}

Result<std::string> mint_hs256(std::string_view payload, std::string_view secret) {
    BRIDGE_CHECK(check_secret(secret));
    BRIDGE_CHECK(json::members(payload, kJsonLimits));
    std::string token = base64::encode_url(R"({"alg":"HS256","typ":"JWT"})") + '.' + base64::encode_url(payload);
    const std::string signature = hmac_sha256(secret, token);
    if (signature.empty()) return Error{Errc::internal, "OpenSSL has no HMAC-SHA256", {}};
    return token + '.' + base64::encode_url(signature);
}

bool constant_time_equal(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
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
        case Failure::revoked: return "the token was revoked";
        case Failure::forbidden: return "not allowed";
    }
    return "the token is malformed";
}

Error Verdict::error() const {
    const Errc code = failure_ == Failure::expired     ? Errc::token_expired
                      : failure_ == Failure::forbidden ? Errc::forbidden
                                                       : Errc::unauthenticated;
    return {code, std::string(message(failure_)), {}};
}

}  // namespace bridge::auth
