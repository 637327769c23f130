// OpenSSL 3 by EVP alone.
#include "auth/key.hpp"

#include <array>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "base/base64.hpp"

namespace bridge::auth {

namespace {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T *p) const {
        Free(p);
    }
};
using ContextPtr = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using BuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, Deleter<OSSL_PARAM_BLD_free>>;
using ParametersPtr = std::unique_ptr<OSSL_PARAM, Deleter<OSSL_PARAM_free>>;
using SignaturePtr = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>>;

constexpr int kMinRsaBits = 2048, kMaxRsaBits = 8192;  // what is longer costs a bridge more than it costs whoever sends a token
constexpr std::size_t kP256Half = 32, kEd25519 = 32;

struct Named {
    Algorithm algorithm;
    std::string_view name;
    const char *digest;      // of HMAC
    std::size_t min_secret;  // as long as the hash
};
constexpr std::array<Named, 6> kAlgorithms{{{Algorithm::hs256, "HS256", "SHA256", 32},
                                            {Algorithm::hs384, "HS384", "SHA384", 48},
                                            {Algorithm::hs512, "HS512", "SHA512", 64},
                                            {Algorithm::rs256, "RS256", nullptr, 0},
                                            {Algorithm::es256, "ES256", nullptr, 0},
                                            {Algorithm::eddsa, "EdDSA", nullptr, 0}}};
const Named &row(Algorithm algorithm) { return kAlgorithms[static_cast<std::size_t>(algorithm)]; }

const unsigned char *bytes(std::string_view text) { return reinterpret_cast<const unsigned char *>(text.data()); }

std::shared_ptr<EVP_PKEY> shared(EVP_PKEY *key) {
    ERR_clear_error();
    return key == nullptr ? nullptr : std::shared_ptr<EVP_PKEY>(key, EVP_PKEY_free);
}

Error not_a_key(const char *why) { return {Errc::invalid, why, {}}; }

// A key of these numbers, or null.
std::shared_ptr<EVP_PKEY> from_parameters(const char *type, OSSL_PARAM_BLD *builder) {
    const ParametersPtr parameters(OSSL_PARAM_BLD_to_param(builder));
    const ContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY *key = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
        ERR_clear_error();
        return nullptr;
    }
    return shared(key);
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

// digest null: the algorithm has its own.
bool verify_with_public_key(EVP_PKEY *key, const EVP_MD *digest, std::string_view signed_text, std::string_view signature) {
    DigestPtr context(EVP_MD_CTX_new());
    const bool good = context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
                      EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(signed_text), signed_text.size()) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace

std::optional<Algorithm> algorithm_named(std::string_view name) {
    for (const Named &one : kAlgorithms) {
        if (one.name == name) return one.algorithm;
    }
    return std::nullopt;
}

std::string_view name(Algorithm algorithm) { return row(algorithm).name; }
bool is_hmac(Algorithm algorithm) { return row(algorithm).digest != nullptr; }

Result<Key> Key::secret(std::string_view secret, Algorithm algorithm, std::string kid) {
    const Named &wanted = row(algorithm);
    if (wanted.digest == nullptr) return not_a_key("a secret is for HS256, HS384 or HS512");
    if (secret.size() < wanted.min_secret) {
        return Error{Errc::invalid,
                     "the JWT secret is shorter than " + std::to_string(wanted.min_secret) + " bytes; make one by: openssl rand -hex " +
                         std::to_string(wanted.min_secret),
                     {}};
    }
    return Key(algorithm, std::move(kid), std::string(secret), nullptr);
}

Result<Key> Key::of(Shared key, std::string kid) {
    if (EVP_PKEY_is_a(key.get(), "RSA")) {
        const int bits = EVP_PKEY_get_bits(key.get());
        if (bits < kMinRsaBits) return not_a_key("RSA key shorter than 2048 bits");
        if (bits > kMaxRsaBits) return not_a_key("RSA key longer than 8192 bits");
        return Key(Algorithm::rs256, std::move(kid), {}, std::move(key));
    }
    if (EVP_PKEY_is_a(key.get(), "ED25519")) return Key(Algorithm::eddsa, std::move(kid), {}, std::move(key));
    std::array<char, 32> group{};
    if (EVP_PKEY_is_a(key.get(), "EC") &&
        EVP_PKEY_get_utf8_string_param(key.get(), OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(), nullptr) == 1 &&
        std::string_view(group.data()) == "prime256v1") {
        return Key(Algorithm::es256, std::move(kid), {}, std::move(key));
    }
    return not_a_key("the key is neither RSA (RS256) nor on curve P-256 (ES256) nor Ed25519 (EdDSA)");
}

Result<Key> Key::pem(std::string_view text) {
    BioPtr in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    auto key = shared(in ? PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, nullptr) : nullptr);
    if (!key) return not_a_key("not a PEM public key");
    return of(std::move(key), {});
}

Result<Key> Key::rsa(std::string_view n, std::string_view e, std::string kid) {
    const auto modulus = base64::decode_url(n), exponent = base64::decode_url(e);
    if (!modulus || !exponent || modulus->size() > kMaxRsaBits / 8 + 1 || exponent->size() > 8) return not_a_key("not an RSA key");
    const NumberPtr a(BN_bin2bn(bytes(*modulus), static_cast<int>(modulus->size()), nullptr));
    const NumberPtr b(BN_bin2bn(bytes(*exponent), static_cast<int>(exponent->size()), nullptr));
    const BuilderPtr builder(OSSL_PARAM_BLD_new());
    if (!a || !b || !builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, a.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, b.get()) != 1 || !BN_is_odd(b.get()) || BN_is_one(b.get())) {
        return not_a_key("not an RSA key");
    }
    auto key = from_parameters("RSA", builder.get());
    if (!key) return not_a_key("not an RSA key");
    return of(std::move(key), std::move(kid));
}

// OpenSSL takes only points of the curve.
Result<Key> Key::p256(std::string_view x, std::string_view y, std::string kid) {
    const auto a = base64::decode_url(x), b = base64::decode_url(y);
    if (!a || !b || a->size() != kP256Half || b->size() != kP256Half) return not_a_key("not a P-256 key");
    const std::string point = "\x04" + *a + *b;
    const BuilderPtr builder(OSSL_PARAM_BLD_new());
    if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
        return not_a_key("not a P-256 key");
    }
    auto key = from_parameters("EC", builder.get());
    if (!key) return not_a_key("not a P-256 key");
    return of(std::move(key), std::move(kid));
}

Result<Key> Key::ed25519(std::string_view x, std::string kid) {
    const auto raw = base64::decode_url(x);
    if (!raw || raw->size() != kEd25519) return not_a_key("not an Ed25519 key");
    auto key = shared(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(*raw), raw->size()));
    if (!key) return not_a_key("not an Ed25519 key");
    return of(std::move(key), std::move(kid));
}

bool Key::verify(std::string_view signed_text, std::string_view signature) const {
    switch (algorithm_) {
        case Algorithm::hs256:
        case Algorithm::hs384:
        case Algorithm::hs512: {
            const std::string expected = hmac(algorithm_, secret_, signed_text);
            return !expected.empty() && constant_time_equal(expected, signature);
        }
        case Algorithm::rs256: return verify_with_public_key(public_.get(), EVP_sha256(), signed_text, signature);
        case Algorithm::es256: {
            const std::string der = es256_to_der(signature);
            return !der.empty() && verify_with_public_key(public_.get(), EVP_sha256(), signed_text, der);
        }
        case Algorithm::eddsa: return verify_with_public_key(public_.get(), nullptr, signed_text, signature);
    }
    return false;
}

std::string hmac(Algorithm algorithm, std::string_view secret, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    std::size_t size = 0;
    if (!EVP_Q_mac(nullptr, "HMAC", nullptr, row(algorithm).digest, nullptr, secret.data(), secret.size(), bytes(text), text.size(),
                   out.data(), out.size(), &size)) {
        return {};
    }
    return {reinterpret_cast<const char *>(out.data()), size};
}

bool constant_time_equal(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace bridge::auth
