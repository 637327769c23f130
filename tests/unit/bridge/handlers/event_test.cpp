// Events: one at a time in a session, answered in order, bounded; goodbyes in that order, too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = codec::Inbound::Kind;

TEST(Event, TheAckOfSqlGoesOutAsItCame) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.emit("save", R"([{"b":1,"a":2.50}])", "7");
    ASSERT_EQ(world.queries.handles.size(), 1U);
    auto &[request, then] = world.queries.handles.front();
    EXPECT_EQ(request.event, "save");
    EXPECT_EQ(request.args, R"([{"b":1,"a":2.50}])");
    EXPECT_THAT(request.context, HasSubstr(R"("sessionId":")"));
    then(World::handled(R"([{"z":1,"a":1e3}])"));
    EXPECT_EQ(peer.one(), R"(437[{"z":1,"a":1e3}])");
}

TEST(Event, OneHandlerAtATimeAndTheOthersInOrder) {
    World world;
    Caller peer(world);
    peer.settle();
    for (const char *name : {"a", "b", "c"}) peer.emit(name);
    for (const char *name : {"a", "b", "c"}) {
        ASSERT_EQ(world.queries.handles.size(), 1U);
        EXPECT_EQ(world.queries.handles.front().first.event, name);
        auto then = std::move(world.queries.handles.front().second);
        world.queries.handles.pop_front();
        then(World::handled("[]"));
    }
    EXPECT_TRUE(world.queries.handles.empty());
    EXPECT_THAT(peer.take(), IsEmpty());  // no id, no ack
}

TEST(Event, ASlowHandlerDelaysNeitherPingsNorDeliveries) {
    World world;
    Caller peer(world);
    peer.settle({"all"});
    peer.emit("slow");
    peer.emit("heartbeat");
    world.hub.deliver({Position{1}, 1, R"(["all"])", R"("news")", "{}", "1", {}});
    const auto sent = peer.take();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_THAT(sent[0], HasSubstr("heartbeat:ack"));
    EXPECT_EQ(sent[1], R"(42["news",1])");
}

TEST(Event, TooManyWaitingAreRefusedAndTheConnectionStays) {
    HandlerOptions options = without_recovery();
    options.max_waiting = 2;
    World world(options);
    Caller peer(world);
    peer.settle();
    for (int i = 0; i < 4; ++i) peer.emit("e", "[]", std::to_string(i));
    EXPECT_THAT(peer.one(), ::testing::AllOf(HasSubstr(R"(433[{"error":{"code":"rate_limited")"), HasSubstr(R"("retryAfter":1)")));
    EXPECT_TRUE(peer.sink.closes.empty());
    EXPECT_EQ(world.queries.handles.size(), 1U);
}

TEST(Event, M10MoreThanTheRateAreRefusedWithATimeAndTheSessionStays) {
    HandlerOptions options = without_recovery();
    options.event_rate = 2;
    World world(options);
    Caller peer(world);
    peer.settle();
    for (int i = 0; i < 3; ++i) peer.emit("ping", "[]");
    EXPECT_EQ(peer.take().size(), 3U);  // with the CONNECT a burst of twice the rate
    peer.emit("e", "[]", "5");
    EXPECT_THAT(peer.one(), ::testing::AllOf(HasSubstr(R"(435[{"error":{"code":"rate_limited")"), HasSubstr(R"("retryAfter":1)")));
    peer.emit("e");
    EXPECT_THAT(peer.one(), ::testing::AllOf(HasSubstr(R"(42["error",{"code":"rate_limited")"), HasSubstr(R"("event":"e")")));
    EXPECT_TRUE(world.queries.handles.empty());
    EXPECT_TRUE(peer.sink.closes.empty());

    world.advance(500);
    peer.emit("e", "[]", "6");
    EXPECT_EQ(world.queries.handles.size(), 1U);
    peer.emit("e", "[]", "7");
    EXPECT_THAT(peer.one(), HasSubstr("rate_limited"));
}

TEST(Event, M10LeavingANamespaceAndComingBackGivesNoNewBurst) {
    HandlerOptions options = without_recovery();
    options.event_rate = 2;
    World world(options);
    Caller peer(world);
    for (int i = 0; i < 4; ++i) {
        peer.settle();
        peer.say(Kind::disconnect);
    }
    peer.connect(world.token("u1"));
    EXPECT_THAT(peer.one(), ::testing::AllOf(HasSubstr("44"), HasSubstr(R"("code":"rate_limited","retryable":true)")));
    EXPECT_TRUE(world.queries.connects.empty());
    world.advance(500);
    peer.settle();
}

TEST(Event, ErrorsGoToTheAckOrAsAnEvent) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.emit("save", "[]", "1");
    world.queries.handles.front().second(Error{Errc::conflict, "already there", "look first"});
    EXPECT_THAT(peer.one(),
                HasSubstr(R"(431[{"error":{"code":"conflict","message":"already there","hint":"look first","correlationId":")"));
    world.queries.handles.pop_front();
    peer.emit("save");
    world.queries.handles.front().second(Error{Errc::internal, "internal error"});
    EXPECT_THAT(peer.one(), HasSubstr(R"(42["error",{"code":"internal","message":"internal error","event":"save","correlationId":")"));
}

TEST(Event, EffectsComeInOrderBeforeTheAck) {
    World world;
    Caller peer(world);
    peer.settle({"old"});
    peer.emit("move", "[]", "0");
    world.queries.handles.front().second(
        World::handled(R"(["done"])", R"([{"leave":"old"},{"join":"new \"room\""},{"reply":["hi",{"x":[1, 2]}]},{"unknown":1}])"));
    const auto sent = peer.take();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0], R"(42["hi",{"x":[1, 2]}])");
    EXPECT_EQ(sent[1], R"(430["done"])");
    EXPECT_EQ(world.hub.members("old"), 0U);
    EXPECT_EQ(world.hub.members("new \"room\""), 1U);
}

TEST(Event, MovingFromRoomToRoomDoublesNothingThatWentToBoth) {
    World world;
    Caller peer(world);
    peer.settle({"old"});
    peer.emit("move");
    const hub::Event both{Position{1}, 1, R"(["old","new"])", R"("news")", "{}", "1", {}};
    world.hub.deliver(both);  // after the handler's snapshot, before its answer
    world.hub.advance(both.position);
    world.queries.handles.front().second(World::handled("[]", R"([{"leave":"old"},{"join":"new"}])"));
    EXPECT_EQ(peer.one(), R"(42["news",1])");
    EXPECT_EQ(world.hub.members("old"), 0U);
    EXPECT_EQ(world.hub.members("new"), 1U);
}

TEST(Event, TheLastOfSeveralEffectsOnARoomCounts) {
    World world;
    Caller peer(world);
    peer.settle({"a", "b"});
    peer.emit("move");
    world.queries.handles.front().second(World::handled("[]", R"([{"leave":"a"},{"join":"a"},{"join":"c"},{"leave":"c"},{"leave":"b"}])"));
    EXPECT_EQ(world.hub.members("a"), 1U);
    EXPECT_EQ(world.hub.members("b"), 0U);
    EXPECT_EQ(world.hub.members("c"), 0U);
}

TEST(Event, ADisconnectEffectLetsTheAckArriveAndDropsWhatWaits) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.emit("bye", "[]", "0");
    peer.emit("never", "[]", "1");
    world.queries.handles.front().second(World::handled(R"(["ok"])", R"([{"disconnect":"enough"}])"));
    EXPECT_EQ(peer.take(), (std::vector<std::string>{R"(430["ok"])", "41"}));
    EXPECT_EQ(world.queries.handles.size(), 1U);
    EXPECT_EQ(world.hub.sessions(), 0U);
    EXPECT_TRUE(peer.sink.closes.empty());
}

TEST(Event, ADisconnectEffectClosesANativeConnection) {
    World world;
    Caller peer(world, Protocol::native, world.token("u1"));
    world.queries.connects.front().then(World::allowed({}));
    peer.take();
    peer.emit("bye", "[]", "1");
    world.queries.handles.front().second(World::handled("[]", R"([{"disconnect":"enough"}])"));
    EXPECT_THAT(peer.one(), HasSubstr(R"({"type":"ack","id":1)"));
    EXPECT_EQ(peer.sink.closes, std::vector{Errc::evicted});
}

TEST(Event, AnAnswerAfterTheSessionEndedIsDropped) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.emit("slow", "[]", "1");
    peer.say(Kind::disconnect);
    peer.settle();  // connected again: another session
    world.queries.handles.front().second(World::handled("[1]", R"([{"join":"stale"}])"));
    EXPECT_THAT(peer.take(), IsEmpty());
    EXPECT_EQ(world.hub.members("stale"), 0U);
}

TEST(Event, MalformedEffectsHarmNobody) {
    World world;
    Caller peer(world);
    peer.settle();
    for (const char *effects : {"", "{}", "[1,null,\"x\"]", R"([{"join":5},{"reply":"x"},{"reply":[]},{}])", "[["}) {
        peer.emit("e", "[]", "0");
        world.queries.handles.front().second(World::handled("[]", effects));
        world.queries.handles.pop_front();
        EXPECT_EQ(peer.one(), "430[]") << effects;
    }
}

TEST(Ping, AnswersWithTheTimeAndAnAckWhenAsked) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.emit("ping");
    EXPECT_THAT(peer.one(), ::testing::MatchesRegex(R"(42\["pong",\{"timestamp":"20[0-9-]+T[0-9:.]+Z"\}\])"));
    peer.emit("ping", "[]", "4");
    const auto sent = peer.take();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_THAT(sent[1], HasSubstr(R"(434[{"timestamp":")"));
}

TEST(Kick, SaysGoodbyeInEveryNamespace) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.connect(world.token("u1"), "/b");
    world.queries.connects.front().then(World::allowed({}));
    peer.take();
    peer.client.kick(Errc::evicted);
    EXPECT_EQ(peer.take(), (std::vector<std::string>{"41", "41/b,"}));
    EXPECT_EQ(peer.sink.closes, std::vector{Errc::evicted});
}

TEST(Drain, AnIdleClientIsToldAtOnce) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.client.drain();
    peer.take();
    EXPECT_THAT(peer.sink.closes, ElementsAre(Errc::shutting_down));
}

TEST(Drain, M10WhatCameBeforeIsAnsweredFirstAndWhatComesAfterIsRefused) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.emit("slow", "[]", "1");
    peer.emit("waits", "[]", "2");
    peer.client.drain();
    peer.emit("late", "[]", "3");
    EXPECT_THAT(peer.one(), ::testing::AllOf(HasSubstr(R"(433[{"error":{"code":"unavailable")"), HasSubstr(R"("retryAfter":1)")));
    for (const char *id : {"1", "2"}) {
        EXPECT_THAT(peer.sink.closes, IsEmpty());
        ASSERT_EQ(world.queries.handles.size(), 1U);
        auto then = std::move(world.queries.handles.front().second);
        world.queries.handles.pop_front();
        then(World::handled("[1]"));
        EXPECT_EQ(peer.one(), std::string("43") + id + "[1]");
    }
    EXPECT_TRUE(world.queries.handles.empty());
    EXPECT_THAT(peer.sink.closes, ElementsAre(Errc::shutting_down));
}

TEST(Drain, M10AConnectUnderWayIsAnsweredAndWhatItsClientSentTogetherWithIt) {
    World world;
    Caller peer(world);
    peer.connect(world.token("u1"));
    peer.emit("save", "[]", "1");
    peer.client.drain();
    peer.connect(world.token("u1"), "/late");
    EXPECT_THAT(peer.take(), IsEmpty());
    EXPECT_THAT(peer.sink.closes, IsEmpty());
    ASSERT_EQ(world.queries.connects.size(), 1U);
    world.queries.connects.front().then(World::allowed({}));
    EXPECT_THAT(peer.one(), HasSubstr(R"(40{"sid":")"));
    ASSERT_EQ(world.queries.handles.size(), 1U);
    world.queries.handles.front().second(World::handled("[1]"));
    EXPECT_EQ(peer.one(), "431[1]");
    EXPECT_THAT(peer.sink.closes, ElementsAre(Errc::shutting_down));
}

TEST(Drain, M10AConnectThatIsRefusedEndsTheWait) {
    World world;
    Caller peer(world);
    peer.connect(world.token("u1"));
    peer.client.drain();
    world.queries.connects.front().then(Error{Errc::forbidden, "not you"});
    EXPECT_THAT(peer.one(), HasSubstr("44"));
    EXPECT_THAT(peer.sink.closes, ElementsAre(Errc::shutting_down));
}

TEST(Drain, AJoinUnderWayOfOneNamespaceKeepsTheConnection) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.emit("room:join", R"([{"room":"a"}])", "1");
    peer.client.drain();
    peer.take();
    EXPECT_THAT(peer.sink.closes, IsEmpty());
    world.queries.decisions.front().then(World::decision(true));
    EXPECT_THAT(peer.one(), HasSubstr(R"("ok":true)"));
    EXPECT_THAT(peer.sink.closes, ElementsAre(Errc::shutting_down));
}

TEST(Drain, AClientThatLeavesMeanwhileIsNotWaitedFor) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.emit("slow", "[]", "1");
    peer.client.drain();
    peer.say(Kind::disconnect);
    peer.take();
    EXPECT_THAT(peer.sink.closes, ElementsAre(Errc::shutting_down));
}

}  // namespace
}  // namespace bridge::handlers::test
