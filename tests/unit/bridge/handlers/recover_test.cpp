// A client comes back. Which session it gets, what it is sent in which order, and what the database is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "recovering.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Kind = codec::Inbound::Kind;

TEST_F(Recovering, ANewSessionGetsASecretAndEveryEventSaysWhereItIs) {
    Caller peer(world);
    peer.connect(world.token("u1"));
    const auto context = json::parse(asked());
    EXPECT_EQ((*context)["bridge"], std::string(world.bookkeeper.bridge().view()));
    EXPECT_FALSE(context->contains("recover"));
    const std::string pid = (*context)["pid"];
    const std::string sid = (*context)["socketId"];
    answer(World::allowed({"all"}, 4));
    EXPECT_EQ(peer.one(), R"(40{"sid":")" + sid + R"(","pid":")" + pid + R"("})");

    world.event(5, "all", "1");
    EXPECT_EQ(peer.one(), R"(42["e",1,")" + at(5) + R"("])");
    world.event(9, "elsewhere", "1");
    peer.emit("ping");
    EXPECT_THAT(peer.one(), HasSubstr(R"("},")" + at(9) + R"("])")) << "an answer of the bridge keeps the place";
    peer.emit("save");
    world.queries.handles.front().second(World::handled("[]", R"([{"reply":["hi","text"]}])"));
    EXPECT_EQ(peer.one(), R"(42["hi","text",")" + at(9) + R"("])") << "a reply that ends in a text poisons nothing";
    peer.emit("room:join", "[7]");
    EXPECT_THAT(peer.one(), HasSubstr(R"("},")" + at(9) + R"("])")) << "an error without ack";
    peer.emit("ping", "[]", "4");
    EXPECT_THAT(peer.take()[1], Not(HasSubstr(at(9)))) << "an ack has no offset";
}

TEST_F(Recovering, OffMeansNoSecretNoOffsetAndNoQuestion) {
    World off;
    Caller peer(off);
    peer.say(Kind::connect, "/", R"({"token":")" + off.token("u1") + R"(","pid":")" + std::string(kPid) + R"("})");
    const std::string &context = off.queries.connects.front().context;
    const std::string ours = context.substr(0, context.find(R"(,"auth":)"));  // behind it stands what the client said
    EXPECT_THAT(ours, Not(HasSubstr("pid")));
    EXPECT_THAT(context, Not(HasSubstr("recover")));
    off.queries.connects.front().then(World::allowed({"all"}));
    EXPECT_THAT(peer.one(), ::testing::MatchesRegex(R"(40\{"sid":"[A-Za-z0-9_-]*"\})"));
    off.event(1, "all", "1");
    peer.emit("ping");
    const auto sent = peer.take();
    EXPECT_EQ(sent[0], R"(42["e",1])");
    EXPECT_THAT(sent[1], HasSubstr(R"("}])"));
    peer.hang_up();
    EXPECT_THAT(off.store(), HasSubstr(R"("forget":true)"));
}

TEST_F(Recovering, TheAnswerComesFirstThenWhatWasMissedThenWhatIsNew) {
    for (std::uint64_t n = 1; n <= 4; ++n) world.event(n, "room", std::to_string(n));
    Caller peer(world);
    come_back(peer, R"(,"offset":")" + at(2) + '"');
    EXPECT_EQ(recover_asked(), R"({"cursor":")" + at(2) + R"(","pid":")" + std::string(kPid) + R"("})");
    answer(found({"room"}, 2, 4));
    world.event(5, "room", "5");
    EXPECT_EQ(peer.take(), (std::vector<std::string>{R"(40{"sid":"ssssssssssssssssssss","pid":"pppppppppppppppppppp"})",
                                                     R"(42["e",3,")" + at(3) + R"("])", R"(42["e",4,")" + at(4) + R"("])",
                                                     R"(42["e",5,")" + at(5) + R"("])"}));
    const hub::Session *session = world.hub.find(world.hub.find_key(*PublicId::parse(kKey)));
    ASSERT_NE(session, nullptr) << "it goes on under its own stable id";
    EXPECT_EQ(session->socket_id.view(), kSid);
    peer.emit("save");
    EXPECT_THAT(world.queries.handles.front().first.context, HasSubstr(R"("sessionId":"kkkkkkkkkkkkkkkkkkkk")"));
    EXPECT_THAT(world.queries.handles.front().first.context, HasSubstr(R"("generation":2)"));
}

TEST_F(Recovering, WhoReceivedNothingYetIsAskedForWithoutACursor) {
    world.event(1, "room", "1");
    Caller peer(world);
    come_back(peer);
    EXPECT_EQ(recover_asked(), R"({"cursor":null,"pid":"pppppppppppppppppppp"})");
    answer(found({"room"}, 0, 1));
    EXPECT_EQ(peer.take().size(), 2U);
}

TEST_F(Recovering, WrongTypesAndNonsenseAreAnOrdinaryNewSession) {
    for (const std::string_view auth :
         {R"(,"pid":7,"offset":"x")", R"(,"pid":"short")", R"(,"pid":"pppppppppppppppppppp","offset":7)",
          R"(,"pid":"pppppppppppppppppppp","offset":"the last argument of somebody's event")", R"(,"pid":["p"])",
          R"(,"pid":"pppppppppppppppppp\u0000p")", R"(,"offset":"9f3c01ab5577de20:1")", R"(,"pid":null)"}) {
        Caller peer(world);
        peer.say(Kind::connect, "/", R"({"token":")" + world.token("u1") + '"' + std::string(auth) + "}");
        EXPECT_EQ(recover_asked(), "none") << auth;
        answer(World::allowed({}));
        const std::string sent = peer.one();
        EXPECT_THAT(sent, StartsWith(R"(40{"sid":")")) << auth;
        EXPECT_THAT(sent, Not(HasSubstr(kPid))) << auth;
    }
}

TEST_F(Recovering, WhatSqlRefusesIsANewSessionWithANewSecret) {
    Caller peer(world);
    come_back(peer);
    db::ConnectAnswer refused = World::allowed({"all"}, 3);
    refused.must_refetch = "expired";
    answer(refused);
    EXPECT_THAT(peer.one(),
                ::testing::AllOf(StartsWith(R"(40{"sid":")"), Not(HasSubstr(kSid)), Not(HasSubstr(kPid)), HasSubstr(R"("pid":")")));
    EXPECT_EQ(world.metrics.recoveries("expired").Value(), 1);
}

TEST_F(Recovering, ANativeClientIsToldWhichOfTheTwoItIs) {
    Caller fresh(world, Protocol::native, world.token("u1"));
    answer(World::allowed({}, 3));
    EXPECT_THAT(fresh.one(), ::testing::MatchesRegex(R"(.*"position":"[0-9a-f]*:3","recovery":"[A-Za-z0-9_-]*","recovered":false\})"));

    world.event(1, "room", "1");
    Caller back(world, Protocol::native);
    back.say(Kind::connect, "/",
             R"({"type":"connect","token":")" + world.token("u1") + R"(","recovery":"pppppppppppppppppppp","since":")" + at(0) + R"("})");
    EXPECT_EQ(recover_asked(), R"({"cursor":")" + at(0) + R"(","pid":"pppppppppppppppppppp"})");
    answer(found({"room"}, 0, 1));
    const auto sent = back.take();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0], R"({"type":"connected","session":"kkkkkkkkkkkkkkkkkkkk","position":")" + at(0) +
                           R"(","recovery":"pppppppppppppppppppp","recovered":true})");
    EXPECT_THAT(sent[1], HasSubstr(R"("position":")" + at(1) + '"'));

    Caller late(world, Protocol::native);
    late.say(Kind::connect, "/", R"({"type":"connect","token":")" + world.token("u1") + R"(","recovery":5})");
    EXPECT_EQ(recover_asked(), "none");
    answer(World::allowed({}, 3));
    EXPECT_THAT(late.one(), HasSubstr(R"("recovered":false,"mustRefetch":"unknown"})"));
}

TEST_F(Recovering, ANativeClientMayNameItsSessionInTheRequest) {
    FakeSink sink;
    Client client(world.services, Protocol::native, Peer{"10.0.0.1", world.token("u1"), "", std::string(kPid), at(7)});
    const ConnectionId id = world.hub.open(sink);
    client.opened(id);
    EXPECT_EQ(recover_asked(), R"({"cursor":")" + at(7) + R"(","pid":"pppppppppppppppppppp"})");
    client.closed("test");
    world.hub.closed(id);
}

TEST_F(Recovering, QuickerThanTheServerNoticed) {
    Caller old(world);
    come_back(old);
    answer(found({"room"}, 0, 0, 2));
    old.take();
    world.store();
    Caller back(world);
    come_back(back);
    answer(found({"room"}, 0, 0, 3));
    EXPECT_EQ(old.take(), std::vector<std::string>{"41"});
    EXPECT_EQ(old.sink.closes, std::vector{Errc::taken_over});
    EXPECT_THAT(back.one(), HasSubstr(kSid));
    world.event(1, "room", "1");
    EXPECT_THAT(old.take(), IsEmpty());
    EXPECT_EQ(back.take().size(), 1U);
    old.hang_up();
    EXPECT_EQ(world.store(), "") << "the row is the new connection's now";
    EXPECT_EQ(world.hub.sessions(), 1U);
}

TEST_F(Recovering, OfTwoThatComeAtOnceTheNewerOneHasItWhateverTheOrderOfTheAnswers) {
    Caller first(world), second(world);
    come_back(first);
    world.advance(5);
    come_back(second);
    const auto arrived = [&](std::size_t n) { return (*json::parse(world.queries.connects[n].context))["arrivedAt"].get<std::int64_t>(); };
    EXPECT_EQ(arrived(1), arrived(0) + 5);
    auto then = std::move(world.queries.connects[1].then);
    world.queries.connects.pop_back();
    then(found({"room"}, 0, 0, 3));
    answer(found({"room"}, 0, 0, 2));
    EXPECT_THAT(first.take(), IsEmpty());
    EXPECT_EQ(first.sink.closes, std::vector{Errc::taken_over});
    EXPECT_THAT(second.one(), HasSubstr(kSid));
    EXPECT_TRUE(second.sink.closes.empty());
    first.hang_up();
    EXPECT_EQ(world.store(), "");
    EXPECT_EQ(world.hub.sessions(), 1U);
}

TEST_F(Recovering, AnotherBridgeTookItOver) {
    Caller peer(world);
    come_back(peer);
    answer(found({"room"}, 0, 0, 2));
    peer.take();
    world.event(1, "pulse:system", R"({"key":"kkkkkkkkkkkkkkkkkkkk","generation":2})", R"("pulse:takeover")");
    world.event(2, "pulse:system", R"({"key":"xxxxxxxxxxxxxxxxxxxx","generation":9})", R"("pulse:takeover")");
    world.event(3, "pulse:system", R"(["nonsense"])", R"("pulse:takeover")");
    EXPECT_THAT(peer.take(), IsEmpty()) << "its own generation, others' sessions and nonsense";
    world.event(4, "pulse:system", R"({"key":"kkkkkkkkkkkkkkkkkkkk","generation":3})", R"("pulse:takeover")");
    EXPECT_EQ(peer.take(), std::vector<std::string>{"41"});
    EXPECT_EQ(peer.sink.closes, std::vector{Errc::taken_over});
    EXPECT_EQ(world.store(), "");
}

TEST_F(Recovering, TheOldConnectionsOtherNamespacesMayComeBackToo) {
    Caller old(world);
    come_back(old);
    answer(found({}, 0, 0, 2));
    old.connect(world.token("u1"), "/admin");
    answer(World::allowed({}));
    Caller back(world);
    come_back(back);
    answer(found({}, 0, 0, 3));
    old.take();
    old.hang_up();
    EXPECT_THAT(world.store(), ::testing::AllOf(HasSubstr(R"("generation":1,"ended":true})"), Not(HasSubstr("forget"))));
}

TEST_F(Recovering, HowAConnectionEndsDecidesWhetherItsSessionMayGoOn) {
    const auto after = [&](auto end) {
        Caller peer(world);
        peer.connect(world.token("u1", std::chrono::seconds(60)));
        answer(World::allowed({"all"}));
        world.store();
        end(peer);
        peer.take();
        peer.hang_up();
        return world.store();
    };
    const auto goes_on = ::testing::EndsWith(R"("generation":1,"ended":true}])");
    const auto is_over = ::testing::EndsWith(R"("generation":1,"ended":true,"forget":true}])");
    EXPECT_THAT(after([](Caller &) {}), goes_on) << "cut";
    EXPECT_THAT(after([](Caller &peer) { peer.client.drain(); }), goes_on);
    EXPECT_THAT(after([&](Caller &) { world.advance(61'000); }), goes_on) << "the token expired: a new one brings it back";
    EXPECT_THAT(after([](Caller &peer) { peer.say(Kind::disconnect); }), is_over);
    EXPECT_THAT(after([](Caller &peer) { peer.client.kick(Errc::evicted); }), is_over);
    EXPECT_THAT(after([&](Caller &peer) {
                    peer.emit("bye");
                    world.queries.handles.front().second(World::handled("[]", R"([{"disconnect":"x"}])"));
                    world.queries.handles.pop_front();
                }),
                is_over);
}

TEST_F(Recovering, WhoLeftForGoodAndComesRightBackIsAskedAboutAfterThatIsStored) {
    Caller peer(world);
    peer.settle();
    world.store();
    peer.say(Kind::disconnect);
    come_back(peer);
    EXPECT_EQ(asked(), "(nothing)");
    EXPECT_THAT(world.store(), HasSubstr("forget"));
    EXPECT_THAT(recover_asked(), HasSubstr(kPid));
}

TEST_F(Recovering, ARoomThatItLeftIsStoredBeforeItIsAskedForButEndsOfOthersAreNotWaitedFor) {
    Caller peer(world);
    peer.settle({"r"});
    world.store();
    peer.emit("room:leave", R"(["r"])");
    peer.hang_up();
    Caller back(world);
    come_back(back);
    EXPECT_EQ(asked(), "(nothing)");
    auto then = std::move(world.queries.bookkeeping.front().second);
    world.queries.bookkeeping.pop_front();
    then(std::string());
    EXPECT_THAT(recover_asked(), HasSubstr(kPid));
    EXPECT_EQ(world.queries.bookkeeping.size(), 1U) << "the end is under way";
}

TEST_F(Recovering, AnAnswerThatFindsNobodyLeavesNoRowBehind) {
    {
        Caller gone(world);
        come_back(gone);
    }
    answer(found({}, 0, 0, 7));
    EXPECT_THAT(world.store(), HasSubstr(R"("generation":7,"ended":true})")) << "it may still come back";
    {
        Caller gone(world);
        gone.connect(world.token("u1"));
    }
    answer(World::allowed({}));
    EXPECT_THAT(world.store(), HasSubstr(R"("forget":true)")) << "nobody knows its secret";
    Caller left(world);
    come_back(left);
    left.say(Kind::disconnect);
    answer(found({}, 0, 0, 8));
    EXPECT_THAT(world.store(), HasSubstr(R"("generation":8,"ended":true})"));
    EXPECT_EQ(world.hub.sessions(), 0U);
}

TEST_F(Recovering, ARoomThatWasTakenAwayIsToldAndBooked) {
    Caller peer(world);
    peer.settle({"room"});
    world.store();
    world.event(1, "pulse:system", R"({"room":"room","userId":"u1","reason":"moved"})", R"("pulse:evict")");
    EXPECT_EQ(peer.one(), R"(42["room:evicted",{"room":"room","reason":"moved"},")" + at(1) + R"("])");
    EXPECT_THAT(world.store(), HasSubstr(R"("leave":"room","evictedAt":1})"));
}

}  // namespace
}  // namespace bridge::handlers::test
