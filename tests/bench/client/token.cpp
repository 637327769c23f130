// HS256 tokens, see token.hpp.
#include "client/token.hpp"

#include "client/wire.hpp"

#include <ctime>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace bench {

namespace {

std::string base64url(std::string_view bytes) {
    std::string out = base64(bytes);
    while (!out.empty() && out.back() == '=') out.pop_back();
    for (char &c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return out;
}

}  // namespace

std::string sign_hs256(std::string_view claims, std::string_view secret) {
    const std::string text = base64url(R"({"alg":"HS256","typ":"JWT"})") + "." + base64url(claims);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), reinterpret_cast<const unsigned char *>(text.data()), text.size(),
         digest, &length);
    return text + "." + base64url({reinterpret_cast<const char *>(digest), length});
}

std::string claims_for(const std::string &user, const std::string &more) {
    const long now = static_cast<long>(std::time(nullptr));
    std::string claims = R"({"sub":")" + user + R"(","userId":")" + user + R"(","iat":)" + std::to_string(now) + R"(,"exp":)" +
                         std::to_string(now + 6 * 3600);
    if (!more.empty()) claims += "," + more;
    return claims + "}";
}

}  // namespace bench
