// Tokens that we sign ourselves: which secret they are for, and what their claims make of them.
#include <gmock/gmock.h>

#include "auth/jwt.hpp"

namespace bridge::auth {
namespace {

const std::string kSecret = "0123456789abcdef0123456789abcdef";

std::string claims(const std::string &more = "") { return R"({"exp":1800000060)" + (more.empty() ? "" : "," + more) + "}"; }
std::string signed_token(const std::string &payload) { return *mint(payload, kSecret); }

struct Minted : testing::Test {
    FakeClock clock;
    Verifier with(VerifyOptions options) {
        Verifier made(std::move(options), clock);
        EXPECT_TRUE(made.add_secret(kSecret));
        return made;
    }
};

TEST_F(Minted, ASecretIsPinnedToItsAlgorithm) {
    const std::string secret(64, 's');
    for (const char *pinned : {"HS256", "HS384", "HS512"}) {
        const Algorithm algorithm = *algorithm_named(pinned);
        Verifier one({}, clock);
        one.set_keys({*Key::secret(secret, algorithm)});
        EXPECT_TRUE(one.verify(*mint(claims(), secret, algorithm))) << pinned;
        for (const char *other : {"HS256", "HS384", "HS512"}) {
            if (std::string_view(other) == pinned) continue;
            EXPECT_EQ(one.verify(*mint(claims(), secret, *algorithm_named(other))).failure(), Failure::signature) << other;
        }
    }
    EXPECT_FALSE(Key::secret(secret.substr(0, 47), Algorithm::hs384));
    EXPECT_FALSE(Key::secret(secret.substr(0, 63), Algorithm::hs512));
    EXPECT_FALSE(Key::secret(secret, Algorithm::rs256));
}

TEST_F(Minted, AnotherClaimMayNameTheUser) {
    VerifyOptions options;
    options.user_claim = "uid";
    Verifier verifier = with(options);
    const auto user = [&](const std::string &more) { return verifier.verify(signed_token(claims(more))).claims()->user_id; };
    EXPECT_EQ(user(R"("uid":"u1","userId":"u2","sub":"u3")"), "u1");
    EXPECT_EQ(user(R"("userId":"u2","sub":"u3")"), "") << "no other claim takes its place";
    EXPECT_EQ(verifier.verify(signed_token(claims(R"("uid":["u1"])"))).failure(), Failure::malformed);
}

TEST_F(Minted, AReconnectTokenSaysSo) {
    const Verifier verifier = with({});
    const auto reconnect = [&](const std::string &more) { return verifier.verify(signed_token(claims(more))).claims()->reconnect; };
    EXPECT_TRUE(reconnect(R"("use":"reconnect")"));
    for (const char *other : {"", R"("use":"access")", R"("use":["reconnect"])", R"("use":true)", R"("Use":"reconnect")"})
        EXPECT_FALSE(reconnect(other));
}

}  // namespace
}  // namespace bridge::auth
