// Whole documents, and the input as the one key of a document, so that the code behind a document's form is reached. What is taken is
// used, too: no token counts by the grace of a strange key.
#include "auth/jwks.hpp"

#include <algorithm>

#include "auth/jwt.hpp"
#include "base/base64.hpp"
#include "check.hpp"

using namespace bridge;

namespace {

constexpr std::size_t kMostKeys = 32;

std::string unsigned_token(std::string_view algorithm, std::size_t signature_bytes) {
    const std::string head = R"({"alg":")" + std::string(algorithm) + R"(","kid":"k"})";
    return base64::encode_url(head) + "." + base64::encode_url(R"({"exp":4000000000})") + "." +
           base64::encode_url(std::string(signature_bytes, '\1'));
}

void read(std::string_view document, auth::Secrets secrets) {
    static const SystemClock clock;
    static const std::string tokens[] = {unsigned_token("HS256", 32), unsigned_token("RS256", 256), unsigned_token("ES256", 64),
                                         unsigned_token("EdDSA", 64)};
    auto found = auth::parse_jwks(document, secrets);
    if (!found) {
        CHECK(!found.error().detail.empty());
        return;
    }
    CHECK(!found->keys.empty() && found->keys.size() <= kMostKeys);
    CHECK(secrets == auth::Secrets::taken ||
          std::none_of(found->keys.begin(), found->keys.end(), [](const auth::Key &key) { return is_hmac(key.algorithm()); }));
    auth::Verifier verifier({}, clock);
    verifier.set_published(std::move(found->keys));
    for (const std::string &token : tokens) CHECK(!verifier.verify(token));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view in = text(data, size);
    for (const auth::Secrets secrets : {auth::Secrets::taken, auth::Secrets::ignored}) {
        read(in, secrets);
        read(R"({"keys":[)" + std::string(in) + "]}", secrets);
    }
    return 0;
}
