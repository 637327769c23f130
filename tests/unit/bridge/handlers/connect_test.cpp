// CONNECT is answered exactly once, whatever the token, SQL or the socket does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Kind = codec::Inbound::Kind;

TEST(Connect, AValidTokenIsAskedInSqlAndTheAnswerComesBeforeEvents) {
    World world;
    Caller peer(world);
    peer.connect(world.token("u1"));
    ASSERT_EQ(world.queries.connects.size(), 1U);
    const auto &asked = world.queries.connects.front();
    EXPECT_EQ(asked.what, "/");
    EXPECT_THAT(asked.context, HasSubstr(R"("userId":"u1")"));
    EXPECT_THAT(asked.context, HasSubstr(R"("ip":"10.0.0.1")"));
    EXPECT_THAT(peer.take(), ::testing::IsEmpty());

    // an event of the room goes by between the decision and its arrival here
    hub::Event event{Position{1}, 1, R"(["user:u1"])", R"("hello")", "{}", "1", {}};
    world.hub.deliver(event);
    world.hub.advance(Position{1});
    asked.then(World::allowed({"user:u1"}, 0));
    const auto sent = peer.take();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_THAT(sent[0], StartsWith(R"(40{"sid":")"));
    EXPECT_EQ(sent[1], R"(42["hello",1])");
    EXPECT_EQ(world.hub.members("user:u1"), 1U);
}

TEST(Connect, BadTokensAreRefusedWithCodeAndTheConnectionStays) {
    World world;
    Caller peer(world);
    peer.say(Kind::connect);
    EXPECT_THAT(peer.one(), HasSubstr(R"("data":{"code":"unauthenticated","retryable":false,"reason":"missing"})"));
    peer.connect("a.b.c");
    EXPECT_THAT(peer.one(), StartsWith("44{"));
    peer.connect(world.token("u1", std::chrono::seconds(-5)));
    EXPECT_THAT(peer.one(), HasSubstr("expired"));
    peer.say(Kind::connect, "/", R"({"token":7})");
    EXPECT_THAT(peer.one(), StartsWith("44{"));
    EXPECT_TRUE(world.queries.connects.empty());
    EXPECT_TRUE(peer.sink.closes.empty());
    peer.settle();  // a better token on the same connection
    EXPECT_EQ(world.hub.sessions(), 1U);
}

TEST(Connect, AnonymousOnlyWhereConfigured) {
    HandlerOptions options = without_recovery();
    options.allow_anonymous = true;
    World world(options);
    Caller peer(world);
    peer.say(Kind::connect);
    ASSERT_EQ(world.queries.connects.size(), 1U);
    EXPECT_THAT(world.queries.connects.front().context, StartsWith(R"({"claims":null,"userId":null)"));
    Caller bad(world);
    bad.connect("nonsense");  // a bad token is not the same as none
    EXPECT_THAT(bad.one(), StartsWith("44{"));
}

TEST(Connect, C4WithoutAKeyNoTokenSignsAnybodyIn) {
    HandlerOptions options = without_recovery();
    options.allow_anonymous = true;
    World world(options);
    const std::string token = world.token("u1");
    world.verifier.set_keys({});
    Caller peer(world);
    peer.connect(token);
    Caller by_request(world, Protocol::socketio, token);
    by_request.say(Kind::connect);
    ASSERT_EQ(world.queries.connects.size(), 2U);
    for (const auto &asked : world.queries.connects) EXPECT_THAT(asked.context, StartsWith(R"({"claims":null,"userId":null)"));
}

TEST(Connect, TheTokenOfTheRequestServesEveryNamespace) {
    World world;
    Caller peer(world, Protocol::socketio, world.token("u9"));
    peer.say(Kind::connect);
    peer.say(Kind::connect, "/other");
    ASSERT_EQ(world.queries.connects.size(), 2U);
    EXPECT_THAT(world.queries.connects.back().context, HasSubstr(R"("userId":"u9")"));
    EXPECT_EQ(world.queries.connects.back().what, "/other");
}

TEST(Connect, TheRequestsTokenIsNotGoodForEver) {
    World world;
    Caller peer(world, Protocol::socketio, world.token("u9", std::chrono::seconds(10)));
    peer.say(Kind::connect);
    ASSERT_EQ(world.queries.connects.size(), 1U);
    world.advance(11'000);
    peer.say(Kind::connect, "/other");
    EXPECT_EQ(world.queries.connects.size(), 1U);
    EXPECT_THAT(peer.one(), HasSubstr("expired"));
}

TEST(Connect, SqlsRefusalReachesTheClient) {
    World world;
    Caller peer(world);
    const auto refuse = [&](Errc code, const char *text) {
        peer.connect(world.token("u1"), "/x");
        world.queries.connects.front().then(Error{code, text});
        world.queries.connects.pop_front();
        return peer.one();
    };
    EXPECT_EQ(refuse(Errc::not_found, "whatever"), R"(44/x,{"message":"Invalid namespace"})");
    EXPECT_THAT(refuse(Errc::forbidden, "wrong role"),
                HasSubstr(R"("message":"wrong role","data":{"code":"forbidden","retryable":false})"));
    EXPECT_THAT(refuse(Errc::unavailable, "away"), HasSubstr(R"("retryable":true)"));
    EXPECT_EQ(world.hub.sessions(), 0U);
}

TEST(Connect, TwiceOnOneNamespaceEndsTheConnection) {
    World world;
    Caller waiting(world);
    waiting.connect(world.token("u1"));
    waiting.connect(world.token("u1"));
    waiting.take();
    EXPECT_EQ(waiting.sink.closes, std::vector{Errc::protocol_error});
    Caller connected(world);
    world.queries.connects.clear();
    connected.settle();
    connected.connect(world.token("u1"));
    connected.take();
    EXPECT_EQ(connected.sink.closes, std::vector{Errc::protocol_error});
}

TEST(Connect, AnAnswerForASocketThatIsGoneIsDropped) {
    World world;
    {
        Caller peer(world);
        peer.connect(world.token("u1"));
    }
    Caller next(world);  // may get the same slot
    world.queries.connects.front().then(World::allowed({"all"}));
    EXPECT_THAT(next.take(), ::testing::IsEmpty());
    EXPECT_EQ(world.hub.sessions(), 0U);
}

TEST(Connect, LeavingWhileTheAnswerIsUnderWayGivesNoSession) {
    World world;
    Caller peer(world);
    peer.connect(world.token("u1"));
    peer.say(Kind::disconnect);
    world.queries.connects.front().then(World::allowed({"all"}));
    EXPECT_EQ(world.hub.sessions(), 0U);
    EXPECT_TRUE(peer.sink.closes.empty());
}

TEST(Connect, NobodyConnectedInTimeEndsTheConnection) {
    World world;
    Caller idle(world), busy(world);
    busy.settle();
    world.advance(44'000);
    idle.take();
    EXPECT_TRUE(idle.sink.closes.empty());
    world.advance(1'100);
    idle.take();
    busy.take();
    EXPECT_EQ(idle.sink.closes, std::vector{Errc::connect_timeout});
    EXPECT_TRUE(busy.sink.closes.empty());
}

TEST(Connect, TheLifeOfAConnectionIsMeasured) {
    World world;
    Caller peer(world);
    peer.settle();
    world.advance(3'000);
    peer.hang_up();
    const auto seen = world.metrics.connection_duration().Collect().histogram;
    EXPECT_EQ(seen.sample_count, 1U);
    EXPECT_EQ(seen.sample_sum, 3.0);
}

TEST(Connect, TheTimeoutIsNotArmedAgainByLeaving) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.say(Kind::disconnect);
    world.advance(100'000);
    peer.take();
    EXPECT_TRUE(peer.sink.closes.empty());
}

TEST(Connect, AnExpiredTokenEndsTheSessionWith41AfterSayingWhy) {
    World world;
    Caller peer(world);
    peer.connect(world.token("u1", std::chrono::seconds(60)));
    world.queries.connects.front().then(World::allowed({"all"}));
    peer.take();
    world.advance(59'000);
    EXPECT_THAT(peer.take(), ::testing::IsEmpty());
    world.advance(1'100);
    const auto sent = peer.take();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_THAT(sent[0], HasSubstr(R"("code":"unauthenticated")"));
    EXPECT_EQ(sent[1], "41");
    EXPECT_EQ(world.hub.sessions(), 0U);
    EXPECT_TRUE(peer.sink.closes.empty());
    peer.emit("late");  // it crossed the 41
    peer.take();
    EXPECT_TRUE(peer.sink.closes.empty());
}

TEST(Connect, ANativeClientWithATokenInItsRequestIsConnectedAtOnce) {
    World world;
    Caller peer(world, Protocol::native, world.token("u1"));
    ASSERT_EQ(world.queries.connects.size(), 1U);
    world.queries.connects.front().then(World::allowed({"all"}, 0));
    EXPECT_THAT(peer.one(), HasSubstr(R"({"type":"connected","session":")"));
}

TEST(Connect, ANativeClientThatIsRefusedIsToldAndClosed) {
    World world;
    Caller peer(world, Protocol::native, "nonsense");
    EXPECT_THAT(peer.one(), HasSubstr(R"("code":"unauthenticated")"));
    EXPECT_EQ(peer.sink.closes, std::vector{Errc::unauthenticated});
}

TEST(Connect, EventsBeforeConnectEndASocketIoConnectionAndAreAnsweredOnTheNativeOne) {
    World world;
    Caller socketio(world), native(world, Protocol::native);
    socketio.emit("x");
    socketio.take();
    EXPECT_EQ(socketio.sink.closes, std::vector{Errc::protocol_error});
    native.emit("x", "[]", "1");
    EXPECT_THAT(native.one(), HasSubstr("unauthenticated"));
    EXPECT_TRUE(native.sink.closes.empty());
}

TEST(Connect, WhatIsSentWhileWaitingIsHandledInOrderAfterwards) {
    World world;
    Caller peer(world);
    peer.connect(world.token("u1"));
    peer.emit("first", "[]", "0");
    peer.emit("ping", "[]", "1");
    EXPECT_TRUE(world.queries.handles.empty());
    world.queries.connects.front().then(World::allowed({"all"}));
    ASSERT_EQ(world.queries.handles.size(), 1U);
    world.queries.handles.front().second(World::handled("[1]"));
    const auto sent = peer.take();
    ASSERT_EQ(sent.size(), 4U);
    EXPECT_THAT(sent[0], StartsWith("40"));
    EXPECT_EQ(sent[1], "430[1]");
    EXPECT_THAT(sent[2], StartsWith(R"(42["pong")"));
    EXPECT_THAT(sent[3], StartsWith("431["));
}

}  // namespace
}  // namespace bridge::handlers::test
