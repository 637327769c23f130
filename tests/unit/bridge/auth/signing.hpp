// Pairs of keys, and signatures by them as JWTs have them.
#pragma once

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>

namespace bridge::auth {

struct KeyFree {
    void operator()(EVP_PKEY *key) const { EVP_PKEY_free(key); }
};
using Pair = std::unique_ptr<EVP_PKEY, KeyFree>;

// Made once: RSA takes a while.
inline EVP_PKEY *rsa() {
    static const Pair key(EVP_RSA_gen(2048));
    return key.get();
}
inline EVP_PKEY *ec() {
    static const Pair key(EVP_EC_gen("P-256"));
    return key.get();
}

inline std::string sign(EVP_PKEY *key, const EVP_MD *digest, const std::string &text) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, digest, nullptr, key);
    std::size_t size = 0;
    const auto *bytes = reinterpret_cast<const unsigned char *>(text.data());
    EVP_DigestSign(context, nullptr, &size, bytes, text.size());
    std::string out(size, '\0');
    EVP_DigestSign(context, reinterpret_cast<unsigned char *>(out.data()), &size, bytes, text.size());
    out.resize(size);
    EVP_MD_CTX_free(context);
    return out;
}

// DER → r and s of 32 bytes each, as JWT wants them.
inline std::string raw_signature(const std::string &der) {
    const auto *at = reinterpret_cast<const unsigned char *>(der.data());
    ECDSA_SIG *signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::string out(64, '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), reinterpret_cast<unsigned char *>(out.data()), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), reinterpret_cast<unsigned char *>(out.data()) + 32, 32);
    ECDSA_SIG_free(signature);
    return out;
}

}  // namespace bridge::auth
