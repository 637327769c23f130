// auth:refresh, reconnect tokens, and keys that are not known yet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.hpp"
#include "fakes.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Kind = codec::Inbound::Kind;

std::string newer(World &world, const std::string &user, const std::string &more = "", int lives = 7200) {
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(world.clock.wall().time_since_epoch()).count();
    return *auth::mint(R"({"userId":")" + user + R"(","exp":)" + std::to_string(now + lives) + more + "}", kSecret);
}
void refresh(Caller &peer, const std::string &token) { peer.emit("auth:refresh", R"([{"token":")" + token + R"("}])", "1"); }
db::RefreshAnswer answer(std::vector<std::string> left = {}, std::vector<std::string> joined = {}) {
    return {std::move(left), std::move(joined), Cursor{std::string(kEpoch), Position{}}};
}

TEST(Refresh, SqlIsAskedWithTheNewClaimsAndAllRoomsAndThenTheyAreTheSessions) {
    World world;
    Caller peer(world);
    peer.settle({"a", "b"});
    refresh(peer, newer(world, "u1", R"(,"role":"chief","jti":"second")"));
    ASSERT_EQ(world.queries.refreshes.size(), 1U);
    const auto &asked = world.queries.refreshes.front();
    EXPECT_EQ(asked.what, "/");
    EXPECT_THAT(asked.context, AllOf(HasSubstr(R"("role":"chief")"), HasSubstr(R"("generation":1,"rooms":["a","b"]})")));
    EXPECT_THAT(peer.take(), IsEmpty());
    peer.emit("later");
    EXPECT_TRUE(world.queries.handles.empty()) << "events wait for their turn";
    asked.then(answer());
    EXPECT_EQ(peer.one(), R"(431[{"ok":true,"expiresAt":")" + iso8601(world.clock.wall() + std::chrono::hours(2)) + R"("}])");
    ASSERT_EQ(world.queries.handles.size(), 1U);
    EXPECT_THAT(world.queries.handles.front().first.context, HasSubstr(R"("role":"chief")"));
}

TEST(Refresh, TheSessionEndsWithTheNewToken) {
    World world;
    Caller peer(world);
    peer.connect(world.token("u1", std::chrono::seconds(10)));
    world.queries.connects.front().then(World::allowed({"a"}));
    peer.take();
    refresh(peer, newer(world, "u1", "", 60));
    world.queries.refreshes.front().then(answer());
    peer.take();
    world.advance(59'000);
    EXPECT_THAT(peer.take(), IsEmpty());
    EXPECT_EQ(world.hub.sessions(), 1U);
    world.advance(2'000);
    EXPECT_THAT(peer.take(),
                ::testing::ElementsAre(AllOf(HasSubstr(R"("code":"unauthenticated")"), HasSubstr(R"("reason":"expired")")), "41"));
    EXPECT_EQ(world.hub.sessions(), 0U);
}

TEST(Refresh, RoomsThatAreLostAreLeftWithANoticeAndNewOnesJoined) {
    World world;
    Caller peer(world);
    peer.settle({"a", "b"});
    refresh(peer, newer(world, "u1"));
    world.queries.refreshes.front().then(answer({"a", "never there"}, {"c"}));
    const auto sent = peer.take();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_THAT(sent[0], StartsWith(R"(42["room:evicted",{"room":"a","reason":)"));
    EXPECT_THAT(sent[1], StartsWith("431[{\"ok\":true"));
    world.event(1, "a", "1");
    EXPECT_THAT(peer.take(), IsEmpty());
    world.event(2, "c", "2");
    EXPECT_EQ(peer.one(), R"(42["e",2])");
}

TEST(Refresh, AnotherUsersTokenIsRefusedAndCounted) {
    World world;
    Caller peer(world);
    peer.settle();
    for (const std::string &token : {newer(world, "u2"), newer(world, "")}) {
        refresh(peer, token);
        EXPECT_THAT(peer.one(), HasSubstr(R"("code":"forbidden")"));
    }
    EXPECT_TRUE(world.queries.refreshes.empty());
    EXPECT_EQ(world.metrics.authentication_errors("forbidden").Value(), 2);
}

TEST(Refresh, ABadTokenIsRefusedWithItsClassAndChangesNothing) {
    World world;
    Caller peer(world);
    peer.settle();
    refresh(peer, newer(world, "u1", "", -1));
    EXPECT_THAT(peer.one(), AllOf(HasSubstr(R"("code":"unauthenticated")"), HasSubstr(R"("reason":"expired")")));
    refresh(peer, newer(world, "u1") + "x");
    EXPECT_THAT(peer.one(), HasSubstr(R"("reason":)"));
    refresh(peer, newer(world, "u1", R"(,"use":"reconnect")"));
    EXPECT_THAT(peer.one(), HasSubstr(R"("reason":"audience")"));
    for (const char *args : {"[]", R"(["text"])", R"([{}])", R"([{"token":7}])", R"([{"token":""}])", R"([null])"}) {
        peer.emit("auth:refresh", args, "1");
        EXPECT_THAT(peer.one(), HasSubstr(R"("code":"bad_request")")) << args;
    }
    EXPECT_TRUE(world.queries.refreshes.empty());
    EXPECT_EQ(world.hub.sessions(), 1U);
}

TEST(Refresh, SqlsRefusalLeavesTheOldToken) {
    World world;
    Caller peer(world);
    peer.settle({"a"});
    refresh(peer, newer(world, "u1", R"(,"role":"none")"));
    world.queries.refreshes.front().then(Error{Errc::forbidden, "clerks only"});
    EXPECT_THAT(peer.one(), HasSubstr("clerks only"));
    peer.emit("later");
    EXPECT_THAT(world.queries.handles.front().first.context, Not(HasSubstr("role")));
    EXPECT_EQ(world.hub.members("a"), 1U);
}

TEST(Refresh, ATokenThatIsRevokedMeanwhileIsRefused) {
    World world;
    Caller peer(world);
    peer.settle();
    refresh(peer, newer(world, "u1", R"(,"jti":"second")"));
    hub::Eviction revocation;
    revocation.revocation = true;
    revocation.jti = "second";
    world.revocations.add(std::move(revocation), 9e9);
    world.queries.refreshes.front().then(answer());
    EXPECT_THAT(peer.one(), HasSubstr(R"("reason":"revoked")"));
    EXPECT_EQ(world.hub.sessions(), 1U);
}

TEST(Refresh, ARevocationOfTheNewTokenEndsTheSessionAndOneOfTheOldDoesNot) {
    World world;
    Caller peer(world);
    peer.connect(newer(world, "u1", R"(,"jti":"first")"));
    world.queries.connects.front().then(World::allowed({"a"}));
    refresh(peer, newer(world, "u1", R"(,"jti":"second")"));
    world.queries.refreshes.front().then(answer());
    peer.take();
    world.event(1, "pulse:system", R"({"userId":null,"jti":"first","revokedAt":1,"expiresAt":9e9})", R"("pulse:revoke")");
    EXPECT_EQ(world.hub.sessions(), 1U);
    world.event(2, "pulse:system", R"({"userId":null,"jti":"second","revokedAt":1,"expiresAt":9e9})", R"("pulse:revoke")");
    EXPECT_EQ(world.hub.sessions(), 0U);
}

TEST(Reconnect, ATokenForComingBackIsGoodForNothingElseAndNoOtherIsGoodForIt) {
    World world;
    Caller peer(world);
    const std::string reconnect = newer(world, "u1", R"(,"use":"reconnect")"), bearer = newer(world, "u1", R"(,"use":"access")");
    peer.connect(reconnect);
    EXPECT_THAT(peer.one(), AllOf(StartsWith("44"), HasSubstr(R"("reason":"audience")")));
    peer.say(Kind::connect, "/", R"({"reconnectToken":")" + bearer + R"("})");
    EXPECT_THAT(peer.one(), HasSubstr(R"("reason":"audience")"));
    peer.say(Kind::connect, "/", R"({"reconnectToken":7})");
    EXPECT_THAT(peer.one(), HasSubstr(R"("reason":"malformed")"));
    EXPECT_EQ(world.metrics.authentication_errors("audience").Value(), 2);
    peer.say(Kind::connect, "/", R"({"token":")" + bearer + R"(","reconnectToken":")" + reconnect + R"(","device":"phone"})");
    ASSERT_EQ(world.queries.connects.size(), 1U);
    EXPECT_THAT(world.queries.connects.front().context, AllOf(HasSubstr(R"("use":"reconnect")"), HasSubstr(R"("device":"phone")")));
    Caller request(world, Protocol::native, reconnect);
    EXPECT_THAT(request.one(), HasSubstr("unauthenticated"));
}

TEST(Keys, AConnectWaitsForKeysThatAreBeingReadAndIsAnsweredOnce) {
    World world;
    std::vector<std::function<void()>> waiting;
    bool may = true;
    world.services.await_keys = [&](std::function<void()> then) {
        if (may) waiting.push_back(std::move(then));
        return may;
    };
    const std::string known = world.token("u1");
    Caller peer(world);
    peer.connect(known);
    EXPECT_TRUE(waiting.empty()) << "a key that is known is not waited for";
    ASSERT_EQ(world.queries.connects.size(), 1U);

    const auto named = [&](const std::string &secret) {
        std::string token = *auth::mint(R"({"userId":"u2","exp":4000000000})", secret);
        const std::string body =
            base64::encode_url(R"({"alg":"HS256","kid":"new"})") + token.substr(token.find('.'), token.rfind('.') - token.find('.'));
        return body + "." + base64::encode_url(auth::hmac(auth::Algorithm::hs256, secret, body));
    };
    const std::string secret = "another secret that is long enough";
    Caller other(world);
    other.connect(named(secret));
    ASSERT_EQ(waiting.size(), 1U);
    EXPECT_THAT(other.take(), IsEmpty());
    world.verifier.set_published({*auth::Key::secret(secret, auth::Algorithm::hs256, "new")});
    waiting.front()();
    ASSERT_EQ(world.queries.connects.size(), 2U);
    EXPECT_THAT(world.queries.connects.back().context, HasSubstr(R"("userId":"u2")"));

    world.verifier.set_published({});
    Caller unlucky(world);
    unlucky.connect(named(secret));
    waiting.back()();
    EXPECT_THAT(unlucky.one(), HasSubstr(R"("reason":"signature")")) << "one wait, whatever came of it";
    Caller gone(world);
    gone.connect(named(secret));
    gone.hang_up();
    waiting.back()();
    may = false;
    Caller late(world);
    late.connect(named(secret));
    EXPECT_THAT(late.one(), HasSubstr(R"("reason":"signature")"));
}

}  // namespace
}  // namespace bridge::handlers::test
