// Listeners over plain HTTP: who is let in, what they are given, and how it ends.
#include "handlers/subscriber.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/scope.hpp"
#include "fakes.hpp"

namespace bridge::handlers {
namespace {

using test::FakeSink;
using test::kEpoch;
using test::World;

struct Listener : Subscriber::Owner {
    explicit Listener(World &w, Protocol protocol = Protocol::sse)
        : world(w), subscriber(w.services, *this, protocol, protocol == Protocol::poll) {
        subscriber.open(sink);
    }
    ~Listener() override {
        subscriber.stop("client_close");
        subscriber.closed();
    }

    void refused(const Error &error, std::string_view) override { refusal = error; }
    bool granted(const Grant &grant) override {
        must_refetch = grant.must_refetch;
        position = Cursor{grant.position.epoch, grant.seen.value_or(grant.position.position)}.text();
        return !declines;
    }
    hub::FramePtr greeting(const Grant &grant) override {
        return hub::make_frame("<hello " + position + (grant.must_refetch.empty() ? "" : " " + grant.must_refetch) + ">");
    }
    void live() override { ++lives; }
    hub::FramePtr farewell(const Error &error) override { return hub::make_frame("<bye " + std::string(info(error.code).reason) + ">"); }

    void ask(std::vector<std::string> rooms, std::string cursor = {}, std::vector<std::string> events = {}, std::string user = "u1",
             std::chrono::seconds lives_for = std::chrono::hours(1)) {
        auto claims = authenticate(world.services, world.token(user, lives_for));
        ASSERT_TRUE(claims);
        subscriber.start(std::make_unique<RoomGate>(world.services, *claims, Asker{"10.0.0.1", "", "sse"}, scope("/sse", std::move(events)),
                                                    std::move(rooms), std::move(cursor)));
    }
    // The next `count` decisions, all the same.
    void decide(const db::Decision &decision, int count = 1) {
        for (; count > 0; --count) {
            ASSERT_FALSE(world.queries.decisions.empty());
            auto asked = std::move(world.queries.decisions.front());
            world.queries.decisions.pop_front();
            asked.then(decision);
        }
    }
    std::string take() {
        world.hub.flush();
        return std::exchange(sink.bytes, {});
    }

    World &world;
    FakeSink sink;
    Subscriber subscriber;
    std::optional<Error> refusal;
    std::string must_refetch, position;
    int lives = 0;
    bool declines = false;
};

struct SubscriberTest : ::testing::Test {
    World world;
};

TEST_F(SubscriberTest, M1IsGreetedAndHearsItsRoomsFromTheDecisionOn) {
    world.event(1, "a", "1");
    Listener one(world);
    one.ask({"a", "b"});
    EXPECT_THAT(world.queries.decisions[0].request.context, ::testing::HasSubstr(R"("userId":"u1","ip":"10.0.0.1","transport":"sse")"));
    EXPECT_EQ(world.queries.decisions[0].request.session, "") << "nothing is stored";
    one.decide(World::decision(true, 2));
    EXPECT_EQ(one.lives, 0);
    one.decide(World::decision(true, 1));
    EXPECT_EQ(one.lives, 1);
    EXPECT_EQ(one.take(), "<hello " + World::at(1) + ">") << "the cursor misses nothing in any of the rooms";
    world.event(2, "b", "2");
    EXPECT_EQ(one.take(), "id: " + World::at(2) + "\nevent: e\ndata: 2\n\n");
    EXPECT_EQ(world.metrics.connections_opened("/sse", "sse").Value(), 1);
}

TEST_F(SubscriberTest, S1OneRoomThatIsNotAllowedRefusesAll) {
    Listener one(world);
    one.ask({"a", "b"});
    one.decide(World::decision(true, 0));
    one.decide(World::decision(false, 0));
    ASSERT_TRUE(one.refusal);
    EXPECT_EQ(one.refusal->code, Errc::forbidden);
    EXPECT_EQ(one.take(), "");
    EXPECT_EQ(world.hub.sessions(), 0U);
}

TEST_F(SubscriberTest, E3APolicysOwnWordsReachTheListener) {
    Listener one(world);
    one.ask({"a", "b"});
    one.decide(World::decision(true, 0));
    db::Decision full = World::decision(false, 0);
    full.refusal = Error{Errc::conflict, "full"};
    one.decide(full);
    ASSERT_TRUE(one.refusal);
    EXPECT_EQ(one.refusal->code, Errc::conflict);
    EXPECT_EQ(one.refusal->detail, "full");
}

TEST_F(SubscriberTest, E2ComesBackAndIsGivenWhatItMissedOnceAndInOrder) {
    for (std::uint64_t n = 1; n <= 4; ++n) world.event(n, n % 2 == 1 ? "a" : "b", std::to_string(n));
    Listener one(world);
    one.ask({"a", "b"}, World::at(1), {"e"});
    EXPECT_EQ(world.queries.decisions[0].request.since, World::at(1));
    one.decide(World::may_recover(4, 1), 2);
    EXPECT_EQ(one.lives, 1);
    const auto block = [](std::uint64_t n) { return "id: " + World::at(n) + "\nevent: e\ndata: " + std::to_string(n) + "\n\n"; };
    EXPECT_EQ(one.take(), "<hello " + World::at(1) + ">" + block(2) + block(3) + block(4));
    world.event(5, "a", "5");
    EXPECT_EQ(one.take(), block(5));
}

TEST_F(SubscriberTest, F4WhoWasAMemberAMomentAgoNeedsNoRightToThePast) {
    world.event(1, "a", "1");
    {
        Listener one(world);
        one.ask({"a"});
        one.decide(World::decision(true, 1));
        EXPECT_EQ(one.lives, 1);
    }
    world.event(2, "a", "2");
    Listener back(world);
    back.ask({"a"}, World::at(1));
    EXPECT_EQ(world.queries.decisions[0].request.since, "") << "only the policy for join is asked";
    back.decide(World::decision(true, 2));
    EXPECT_EQ(back.take(), "<hello " + World::at(1) + ">id: " + World::at(2) + "\nevent: e\ndata: 2\n\n");
    EXPECT_EQ(back.must_refetch, "");
}

TEST_F(SubscriberTest, S1ThePastOfOthersOrOfBeforeOrOfLongAgoNeedsTheRightToIt) {
    const auto since = [&](std::string cursor, std::string user) {
        Listener listener(world);
        listener.ask({"a"}, std::move(cursor), {}, std::move(user));
        std::string asked = world.queries.decisions[0].request.since;
        world.queries.decisions.clear();
        return asked;
    };
    world.event(1, "a", "1");
    world.event(2, "a", "2");
    {
        Listener one(world);
        one.ask({"a"});
        one.decide(World::decision(true, 2));
    }
    EXPECT_EQ(since(World::at(2), "u1"), "");
    EXPECT_EQ(since(World::at(1), "u1"), World::at(1)) << "from before it was let in";
    EXPECT_EQ(since(World::at(2), "u2"), World::at(2)) << "another user";
    EXPECT_EQ(since("0000000000000000:2", "u1"), "0000000000000000:2") << "another epoch";
    EXPECT_EQ(since(World::at(9), "u1"), World::at(9)) << "ahead of what is known here";
    {
        Listener refused(world);
        refused.ask({"a"});
        refused.decide(World::decision(false, 2));
    }
    EXPECT_EQ(since(World::at(2), "u1"), World::at(2)) << "not let in any more";
    {
        Listener again(world);
        again.ask({"a"});
        again.decide(World::decision(true, 2));
    }
    world.deadlines.advance(Admitted::kKept + 1);
    EXPECT_EQ(since(World::at(2), "u1"), World::at(2)) << "too long ago";
}

TEST_F(SubscriberTest, E7WhatCannotBeGivenIsSaidAndThenItIsLive) {
    for (const std::string reason : {"expired", "future", "foreign_epoch", "forbidden", "evicted"}) {
        Listener one(world);
        one.ask({"a"}, World::at(1), {}, reason);  // users of their own: one that was just let in is a member
        one.decide(World::not_recovered(world.hub.head().value, reason));
        EXPECT_EQ(one.lives, 1);
        EXPECT_EQ(one.take(), "<hello " + World::at(world.hub.head().value) + " " + reason + ">");
        world.event(world.hub.head().value + 1, "a", "1");
        EXPECT_THAT(one.take(), ::testing::HasSubstr("data: 1"));
    }
    Listener unknown(world);
    unknown.ask({"a"}, "no cursor");
    EXPECT_EQ(world.queries.decisions[0].request.since, "");
    unknown.decide(World::decision(true, world.hub.head().value));
    EXPECT_EQ(unknown.must_refetch, "unknown");
    EXPECT_EQ(unknown.lives, 1);
}

TEST_F(SubscriberTest, E7OneRoomOfSeveralThatCannotBeGivenRefusesThePast) {
    world.event(1, "a", "1");
    Listener one(world);
    one.ask({"a", "b"}, World::at(0));
    one.decide(World::may_recover(1, 0));
    one.decide(World::not_recovered(1, "forbidden"));
    EXPECT_EQ(one.take(), "<hello " + World::at(1) + " forbidden>") << "never a part";
}

TEST_F(SubscriberTest, E7TooMuchIsNoticedBeforeAnythingIsSentAndAskedAnew) {
    World small;
    hub::HistoryOptions options;
    options.max_events = 2;
    hub::History history(small.hub, small.log, small.metrics, options);
    Services services{small.hub,
                      history,
                      small.queries,
                      small.bookkeeper,
                      small.leases,
                      small.revocations,
                      small.verifier,
                      small.deadlines,
                      small.clock,
                      small.rng,
                      small.metrics,
                      {},
                      {},
                      {}};
    for (std::uint64_t n = 1; n <= 5; ++n) small.event(n, "a", std::to_string(n));
    Listener one(small);
    Subscriber subscriber(services, one, Protocol::sse, false);
    FakeSink sink;
    subscriber.open(sink);
    auto claims = authenticate(services, small.token("u1"));
    subscriber.start(
        std::make_unique<RoomGate>(services, *claims, Asker{"", "", "sse"}, "/sse", std::vector<std::string>{"a"}, World::at(1)));
    one.decide(World::may_recover(5, 1));
    EXPECT_EQ(one.must_refetch, "too_much");
    ASSERT_EQ(small.queries.decisions.size(), 1U) << "a fresh decision, without the cursor";
    EXPECT_EQ(small.queries.decisions[0].request.since, "");
    one.decide(World::decision(true, 5));
    small.hub.flush();
    EXPECT_EQ(sink.bytes, "<hello " + World::at(5) + " too_much>");
    subscriber.stop("client_close");
    subscriber.closed();
}

TEST_F(SubscriberTest, M1WhoPollsIsGivenTheFirstOfManyHoweverManyThereAre) {
    World small;
    for (std::uint64_t n = 1; n <= 5; ++n) small.event(n, "a", std::to_string(n));
    Listener one(small, Protocol::poll);
    one.ask({"a"}, World::at(4));
    one.decide(World::may_recover(5, 4));
    const std::string lines = one.take();
    EXPECT_THAT(lines, ::testing::HasSubstr(World::at(5) + R"( {"event":"e","args":[5],"room":"a","position":")" + World::at(5) + "\"}\n"));
}

TEST_F(SubscriberTest, WhoHasWhatItWantedIsNoSession) {
    Listener one(world, Protocol::poll);
    one.declines = true;
    one.ask({"a"});
    one.decide(World::decision(true, 7));
    EXPECT_EQ(one.position, World::at(7));
    EXPECT_EQ(world.hub.sessions(), 0U);
    EXPECT_EQ(one.lives, 0);
}

TEST_F(SubscriberTest, D4WhileThePostgresIsAwayARefusalComesWithinASecond) {
    world.queries.is_up = false;
    Listener one(world);
    one.ask({"a"});
    world.advance(500);
    EXPECT_FALSE(one.refusal);
    world.advance(499);
    ASSERT_TRUE(one.refusal);
    EXPECT_EQ(one.refusal->code, Errc::unavailable);
    EXPECT_GT(one.refusal->retry_after, 0);
    one.decide(World::decision(true, 0));
    EXPECT_EQ(world.hub.sessions(), 0U) << "the late answer finds nobody";
}

TEST_F(SubscriberTest, D4ASlowDatabaseIsWaitedForAndOneThatComesBackInTimeToo) {
    Listener one(world);
    one.ask({"a"});
    world.advance(5'000);
    EXPECT_FALSE(one.refusal);
    world.queries.is_up = false;
    world.advance(200);
    world.queries.is_up = true;
    world.advance(2'000);
    EXPECT_FALSE(one.refusal);
    one.decide(World::decision(true, 0));
    EXPECT_EQ(one.lives, 1);
}

TEST_F(SubscriberTest, E5AnExpiredTokenEndsIt) {
    Listener one(world);
    one.ask({"a"}, {}, {}, "u1", std::chrono::seconds(60));
    one.decide(World::decision(true, 0));
    one.take();
    world.advance(59'000);
    EXPECT_EQ(one.take(), "");
    world.advance(1'100);
    EXPECT_EQ(one.take(), "<bye token_expired>");
    EXPECT_THAT(one.sink.closes, ::testing::ElementsAre(Errc::token_expired));
    EXPECT_EQ(world.metrics.connections_closed("/sse", "sse", "token_expired").Value(), 1);
}

TEST_F(SubscriberTest, S1ARevokedTokenEndsItAndIsNotLetInAgain) {
    Listener one(world);
    one.ask({"a"});
    one.decide(World::decision(true, 0));
    one.take();
    Listener asking(world);
    asking.ask({"a"});
    world.hub.deliver({Position{1},
                       1,
                       R"(["pulse:system"])",
                       R"("pulse:revoke")",
                       "{}",
                       R"({"userId":"u1","jti":null,"revokedAt":9000000000,"expiresAt":9000003600,"reason":null})",
                       {}});
    world.hub.advance(Position{1});
    EXPECT_EQ(one.take(), "<bye revoked>");
    EXPECT_THAT(one.sink.closes, ::testing::ElementsAre(Errc::revoked));
    asking.decide(World::decision(true, 0));
    ASSERT_TRUE(asking.refusal) << "it was asking meanwhile";
    EXPECT_EQ(asking.refusal->code, Errc::unauthenticated);
    EXPECT_FALSE(authenticate(world.services, world.token("u1")));
}

TEST_F(SubscriberTest, S1OutOfOneRoomItStaysOutOfAllItEnds) {
    Listener one(world);
    one.ask({"a", "b"});
    one.decide(World::decision(true, 0), 2);
    one.take();
    const auto evict = [&](std::uint64_t position, const char *room) {
        world.hub.deliver({Position{position},
                           position,
                           R"(["pulse:system"])",
                           R"("pulse:evict")",
                           "{}",
                           R"({"room":")" + std::string(room) + R"(","userId":"u1","reason":"gone"})",
                           {}});
        world.hub.advance(Position{position});
    };
    evict(1, "a");
    world.advance(10);
    EXPECT_EQ(one.take(), "id: " + World::at(1) + "\nevent: room:evicted\ndata: {\"room\":\"a\",\"reason\":\"gone\"}\n\n");
    EXPECT_TRUE(one.sink.closes.empty());
    evict(2, "b");
    world.advance(10);
    EXPECT_THAT(one.take(), ::testing::HasSubstr("<bye evicted>"));
    EXPECT_THAT(one.sink.closes, ::testing::ElementsAre(Errc::evicted));
}

TEST_F(SubscriberTest, S1AnEvictionAfterTheDecisionIsAskedAbout) {
    Listener one(world);
    one.ask({"a"});
    world.hub.deliver({Position{1}, 1, R"(["pulse:system"])", R"("pulse:evict")", "{}", R"({"room":"a","userId":"u1","reason":null})", {}});
    world.hub.advance(Position{1});
    one.decide(World::decision(true, 0));
    ASSERT_EQ(world.queries.decisions.size(), 1U);
    one.decide(World::decision(false, 1));
    ASSERT_TRUE(one.refusal);
    EXPECT_EQ(one.refusal->code, Errc::forbidden);
}

TEST_F(SubscriberTest, C3AStreamOfSqlIsLetInByItsFunction) {
    Listener one(world);
    RequestGate::Question question;
    question.method = "GET";
    question.path = "/api/orders/7/stream";
    question.request = R"({"query":{}})";
    question.context = R"({"claims":null})";
    question.cursor = World::at(1);
    question.claims = std::make_shared<const Claims>();
    for (std::uint64_t n = 1; n <= 3; ++n) world.event(n, "order:7", std::to_string(n), n == 2 ? R"("other")" : R"("changed")");
    one.subscriber.start(std::make_unique<RequestGate>(world.services, question));
    ASSERT_EQ(world.queries.requests.size(), 1U);
    auto [call, then] = std::move(world.queries.requests.front());
    EXPECT_EQ(call.path, "/api/orders/7/stream");
    EXPECT_THAT(call.context, ::testing::HasSubstr(R"("cursor":")" + World::at(1) + "\"}"));
    db::StreamAnswer answer;
    answer.rooms = {"order:7"};
    answer.events = {"changed"};
    answer.position = Cursor{std::string(kEpoch), Position{3}};
    answer.recovered = true;
    answer.since = Position{1};
    db::RequestAnswer given(std::move(answer));
    given.path = "/api/orders/{id}/stream";
    then(std::move(given));
    EXPECT_EQ(one.lives, 1);
    EXPECT_EQ(one.take(), "<hello " + World::at(1) + ">id: " + World::at(3) + "\nevent: changed\ndata: 3\n\n");
    EXPECT_EQ(world.metrics.sse_messages("/api/orders/{id}/stream").Value(), 1);
}

}  // namespace
}  // namespace bridge::handlers
