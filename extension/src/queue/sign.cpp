// HMAC and RSA by OpenSSL's EVP.
#include "queue/sign.hpp"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <array>
#include <cstdint>
#include <memory>

#include "pg/pure.hpp"

namespace pulse::queue {

namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string hmac(const EVP_MD *digest, std::string_view key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    HMAC(digest, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char *>(text.data()), text.size(), out.data(),
         &size);
    return {reinterpret_cast<const char *>(out.data()), size};
}

// An encrypted key is refused instead of asked for on a terminal.
int no_password(char *, int, int, void *) { return -1; }

}  // namespace

std::string base64(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const auto byte = [&](std::size_t n) -> std::uint32_t {
            return at + n < bytes.size() ? static_cast<std::uint8_t>(bytes[at + n]) : 0;
        };
        const std::uint32_t three = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (int n = 0; n < 4; ++n) {
            const bool padding = at + static_cast<std::size_t>(n) > bytes.size();
            out += padding ? '=' : kDigits[three >> (18 - 6 * n) & 63];
        }
    }
    return out;
}

std::string base64_url(std::string_view bytes) {
    std::string out = base64(bytes);
    std::erase(out, '=');
    for (char &c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return out;
}

std::optional<std::string> base64_decoded(std::string_view text) {
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    if (text.size() % 4 == 1) return std::nullopt;
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        const std::size_t value = kDigits.find(c == '-' ? '+' : c == '_' ? '/' : c);
        if (value == std::string_view::npos) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out += static_cast<char>(bits >> count & 255);
    }
    return out;
}

std::string hmac_sha256(std::string_view key, std::string_view text) { return hmac(EVP_sha256(), key, text); }
std::string hmac_sha1(std::string_view key, std::string_view text) { return hmac(EVP_sha1(), key, text); }

std::optional<std::string> rs256(std::string_view private_key, std::string_view text) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(private_key.data(), static_cast<int>(private_key.size())),
                                                        BIO_free);
    if (!bio) return std::nullopt;
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr),
                                                                  EVP_PKEY_free);
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::string out;
    std::size_t size = 0;
    const auto *bytes = reinterpret_cast<const unsigned char *>(text.data());
    bool good = key && context && EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_RSA &&
                EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
                EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) == 1;
    if (good) {
        out.resize(size);
        good = EVP_DigestSign(context.get(), reinterpret_cast<unsigned char *>(out.data()), &size, bytes, text.size()) == 1;
        out.resize(size);
    }
    ERR_clear_error();  // what is left in the queue would be told of somebody else's TLS connection
    if (!good) return std::nullopt;
    return out;
}

bool same_bytes(std::string_view a, std::string_view b) { return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace pulse::queue
