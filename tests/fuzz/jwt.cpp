// Three ways in: raw bytes as a token, and the input as payload or header of a rightly signed token, so that the code behind the
// signature is reached.
#include "auth/jwt.hpp"

#include "base/base64.hpp"
#include "check.hpp"

using namespace bridge;

namespace {

const char *const kSecret = "0123456789abcdef0123456789abcdef";

const auth::Verifier &verifier() {
    static const SystemClock clock;
    static const auth::Verifier made = [] {
        auth::VerifyOptions options;
        options.audience = "a";
        options.issuer = "i";
        auth::Verifier v(options, clock);
        CHECK(v.add_secret(kSecret));
        return v;
    }();
    return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view in = text(data, size);
    CHECK(!verifier().verify(in));  // nobody guesses an HMAC
    CHECK(!verifier().verify(base64::encode_url(in) + ".e30."));
    const auto token = auth::mint(in, kSecret);
    if (!token) return 0;
    if (const auth::Verdict verdict = verifier().verify(*token)) {
        CHECK(verdict.claims()->json == in);
        CHECK(verdict.claims()->user_id.size() <= 250 && verdict.claims()->user_id.find('\0') == std::string::npos);
        CHECK(verdict.claims()->expires_at);
    }
    return 0;
}
