// Who is not let in any more, and who is again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::HasSubstr;

Claims claims(std::string user, std::string jti, std::string json) {
    Claims out;
    out.user_id = std::move(user);
    out.jti = std::move(jti);
    out.json = std::move(json);
    return out;
}

double seconds(const Clock &clock) { return std::chrono::duration<double>(clock.wall().time_since_epoch()).count(); }

hub::Eviction of(std::string user, std::string jti, double revoked_at = 0) {
    hub::Eviction out;
    out.revocation = true;
    out.user = std::move(user);
    out.jti = std::move(jti);
    out.revoked_at = revoked_at;
    return out;
}

TEST(Revocations, ATokenByItsIdAndAUserByAllOlderTokens) {
    FakeClock clock;
    Revocations revocations(clock);
    const double later = seconds(clock) + 3600;
    revocations.add(of("", "t1"), later);
    revocations.add(of("ann", "", 1000.5), later);
    EXPECT_TRUE(revocations.revoked(claims("bob", "t1", "{}")));
    EXPECT_FALSE(revocations.revoked(claims("bob", "t2", "{}")));
    EXPECT_TRUE(revocations.revoked(claims("ann", "", "{}")));
    EXPECT_TRUE(revocations.revoked(claims("ann", "t9", R"({"iat":1000})")));
    EXPECT_FALSE(revocations.revoked(claims("ann", "t9", R"({"iat":1001})")));
    EXPECT_FALSE(revocations.revoked(claims("", "", "{}")));
}

TEST(Revocations, TheLaterOfTwoCountsAndTheLongerOneToo) {
    FakeClock clock;
    Revocations revocations(clock);
    const double later = seconds(clock) + 3600;
    revocations.add(of("ann", "", 2000), later);
    revocations.add(of("ann", "", 1000), later + 3600);
    EXPECT_TRUE(revocations.revoked(claims("ann", "", R"({"iat":1500})")));
    clock.advance(std::chrono::seconds(5000));
    EXPECT_TRUE(revocations.revoked(claims("ann", "", R"({"iat":1500})")));
    clock.advance(std::chrono::seconds(5000));
    EXPECT_FALSE(revocations.revoked(claims("ann", "", R"({"iat":1500})")));
}

TEST(Revocations, ThoseThatAreOverAreForgotten) {
    FakeClock clock;
    Revocations revocations(clock);
    for (int n = 0; n < 1000; ++n) {
        revocations.add(of("", "t" + std::to_string(n)), seconds(clock) + 0.5);
        clock.advance(std::chrono::seconds(1));
    }
    EXPECT_LE(revocations.size(), 64U);
    revocations.add(of("", "old"), seconds(clock) - 1);
    EXPECT_FALSE(revocations.revoked(claims("", "old", "{}")));
}

TEST(Revoked, TheSessionEndsForGoodAndItsTokenIsRefusedWithoutAskingSql) {
    World world;
    Caller peer(world);
    peer.settle();
    world.store();
    world.event(5, "pulse:system", R"({"userId":"u1","jti":null,"revokedAt":99999999999,"expiresAt":99999999999,"reason":"lost phone"})",
                R"("pulse:revoke")");
    const auto sent = peer.take();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_THAT(sent[0], HasSubstr(R"(42["error",{"code":"unauthenticated","message":"the token has been revoked")"));
    EXPECT_EQ(sent[1], "41");
    EXPECT_THAT(world.store(), HasSubstr(R"("ended":true,"forget":true)"));
    peer.connect(world.token("u1"));
    EXPECT_THAT(peer.one(), HasSubstr("revoked"));
    EXPECT_TRUE(world.queries.connects.empty());
    peer.connect(world.token("u2"));
    EXPECT_EQ(world.queries.connects.size(), 1U);
}

TEST(Revoked, ANativeConnectionIsClosedWithItsCode) {
    World world;
    Caller peer(world, Protocol::native, world.token("u1"));
    world.queries.connects.front().then(World::allowed({}));
    peer.take();
    world.event(5, "pulse:system", R"({"userId":"u1","revokedAt":99999999999,"expiresAt":99999999999})", R"("pulse:revoke")");
    EXPECT_THAT(peer.one(), HasSubstr(R"("code":"unauthenticated")"));
    EXPECT_EQ(peer.sink.closes, std::vector{Errc::revoked});
}

TEST(Revoked, TheListOfTheDatabaseIsReadAtTheStartUntilItAnswers) {
    World world;
    world.system_events.start();
    world.queries.revocation_lists.front()(Error{Errc::unavailable, "away"});
    world.queries.revocation_lists.pop_front();
    world.advance(1'100);
    ASSERT_EQ(world.queries.revocation_lists.size(), 1U);
    world.queries.revocation_lists.front()(std::vector<db::Revocation>{{"u1", "", 99999999999.0, 99999999999.0}});
    Caller peer(world);
    peer.connect(world.token("u1"));
    EXPECT_THAT(peer.one(), HasSubstr("revoked"));
    EXPECT_TRUE(world.queries.connects.empty());
}

}  // namespace
}  // namespace bridge::handlers::test
