// Long-polls: which answer, when, and with which cursor.
#include "transport/poll.hpp"

#include <nlohmann/json.hpp>

#include "listeners.hpp"

namespace bridge::transport {
namespace {

using namespace test;
using ::testing::HasSubstr;

struct PollTest : ::testing::Test {
    World world;
    Polls polls{world.services};

    std::unique_ptr<FakeExchange> ask(std::vector<std::pair<std::string, std::string>> more, std::string room = "a") {
        more.emplace_back("room", std::move(room));
        auto exchange = std::make_unique<FakeExchange>(std::move(more), world.token("u1"));
        polls.request(*exchange);
        return exchange;
    }
    // Waiting for what comes after the head.
    std::unique_ptr<FakeExchange> parked(std::string timeout = "25") {
        const std::uint64_t head = world.hub.head().value;
        auto exchange = ask({{"cursor", World::at(head)}, {"timeout", std::move(timeout)}});
        decide(world, World::may_recover(head, head));
        EXPECT_EQ(exchange->status(), 0);
        return exchange;
    }
    void swept() {
        world.advance(10);
        EXPECT_EQ(polls.waiting(), 0U);
        EXPECT_EQ(world.hub.connections(), 0U);
        EXPECT_EQ(world.metrics.polls_waiting().Value(), 0);
    }
};

TEST_F(PollTest, M1WithoutACursorItIsToldWhereToStart) {
    const auto one = ask({});
    decide(world, World::decision(true, 7));
    EXPECT_EQ(one->status(), 200);
    EXPECT_EQ(one->answer->body, R"({"events":[],"cursor":")" + World::at(7) + "\"}");
    swept();
}

TEST_F(PollTest, M1WhatHappensIsAnsweredInTheFlushOfItsTurnAllInOne) {
    world.event(1, "a", "1");
    const auto one = parked();
    EXPECT_EQ(world.metrics.polls_waiting().Value(), 1);
    world.event(2, "a", "2");
    world.event(3, "b", "3");
    world.event(4, "a", "4");
    world.event(5, "b", "5");
    EXPECT_EQ(one->status(), 0);
    world.hub.flush();
    ASSERT_EQ(one->status(), 200);
    EXPECT_EQ(one->answer->body, R"({"events":[{"event":"e","args":[2],"room":"a","position":")" + World::at(2) +
                                     R"("},{"event":"e","args":[4],"room":"a","position":")" + World::at(4) + R"("}],"cursor":")" +
                                     World::at(5) + "\"}");
    swept();
}

TEST_F(PollTest, E2TheCursorNeverStandsBeforeWhatWasGivenNorBehindWhatWasNot) {
    const auto one = parked();
    const std::string rooms = R"(["a"])", name = R"("e")";
    world.hub.deliver({Position{1}, 1, rooms, name, "{}", "1", {}});
    world.hub.flush();  // in the middle of a turn, before the hub's head has come so far
    EXPECT_THAT(one->answer->body, HasSubstr(R"("cursor":")" + World::at(1)));
    world.hub.advance(Position{1});
    world.advance(10);

    const auto late = parked("1");
    world.event(2, "a", "2");
    world.advance(1'000);  // its time is over, with an event on the way
    EXPECT_EQ(late->status(), 0);
    world.hub.flush();
    world.advance(10);
    ASSERT_EQ(late->status(), 200);
    EXPECT_THAT(late->answer->body, HasSubstr(R"("args":[2])"));
    swept();
}

TEST_F(PollTest, E3AnEphemeralEventIsGivenToWhoWaitsAndTheCursorMissesNothing) {
    world.event(1, "a", "1");
    const auto one = parked();
    world.hub.deliver_ephemeral({{}, 0, R"(["a"])", R"("t")", "{}", "7", {}, true});
    world.event(2, "a", "2");
    world.hub.flush();
    ASSERT_EQ(one->status(), 200);
    EXPECT_EQ(one->answer->body, R"({"events":[{"event":"t","args":[7],"room":"a"},{"event":"e","args":[2],"room":"a","position":")" +
                                     World::at(2) + R"("}],"cursor":")" + World::at(2) + "\"}");
    world.advance(10);
    const auto alone = parked();
    world.hub.deliver_ephemeral({{}, 0, R"(["a"])", R"("t")", "{}", "8", {}, true});
    world.hub.flush();
    EXPECT_EQ(alone->answer->body, R"({"events":[{"event":"t","args":[8],"room":"a"}],"cursor":")" + World::at(2) + "\"}");
    swept();
}

TEST_F(PollTest, M1NothingInTimeIs204WithACursor) {
    const auto one = parked("2");
    world.event(1, "elsewhere", "1");
    world.hub.flush();
    world.advance(1'900);
    EXPECT_EQ(one->status(), 0);
    world.advance(200);
    EXPECT_EQ(one->status(), 204);
    EXPECT_EQ(one->header("Pulse-Cursor"), World::at(1));
    swept();
    const auto at_once = parked("0");
    world.advance(10);
    EXPECT_EQ(at_once->status(), 204);
    for (const char *wrong : {"61", "-1", "x", "", "1.5"}) EXPECT_EQ(ask({{"timeout", wrong}})->status(), 422) << wrong;
}

TEST_F(PollTest, M1ALongAbsenceComesInParts) {
    for (std::uint64_t n = 1; n <= 2'500; ++n) world.event(n, "a", std::to_string(n));
    std::uint64_t from = 0;
    std::vector<std::size_t> sizes;
    while (from < 2'500) {
        const auto one = ask({{"cursor", World::at(from)}});
        decide(world, World::may_recover(2'500, from));
        world.hub.flush();
        ASSERT_EQ(one->status(), 200);
        const auto tree = json::parse(one->answer->body);
        ASSERT_TRUE(tree);
        for (const auto &event : (*tree)["events"]) EXPECT_EQ(event["args"][0].get<std::uint64_t>(), ++from);
        EXPECT_EQ((*tree)["cursor"], World::at(from));
        sizes.push_back((*tree)["events"].size());
        world.advance(10);
    }
    EXPECT_THAT(sizes, ::testing::ElementsAre(1'000U, 1'000U, 500U));
    swept();
}

TEST_F(PollTest, E7WhatCannotBeGivenIs410AndWithoutTheRightToThePast403) {
    const auto expired = ask({{"cursor", World::at(1)}});
    decide(world, World::not_recovered(9, "expired"));
    EXPECT_EQ(expired->status(), 410);
    EXPECT_THAT(expired->answer->body, HasSubstr(R"("reason":"expired"},"cursor":")" + World::at(9)));
    const auto unknown = ask({{"cursor", "nothing of ours"}});
    decide(world, World::decision(true, 9));
    EXPECT_THAT(unknown->answer->body, HasSubstr(R"("reason":"unknown")"));
    const auto forbidden = ask({{"cursor", World::at(1)}});
    decide(world, World::not_recovered(9, "forbidden"));
    EXPECT_EQ(forbidden->status(), 403);
    swept();
}

TEST_F(PollTest, D4ADrainAnswersWithWhatIsThereOrNothing) {
    const auto idle = parked(), busy = parked();
    world.hub.each_connection([&](ConnectionId id) { world.hub.close(id, Errc::shutting_down); });
    world.event(1, "a", "1");  // it is deaf already: no cursor may stand behind it
    world.hub.flush();
    for (const auto *one : {&idle, &busy}) {
        EXPECT_EQ((*one)->status(), 204);
        EXPECT_EQ((*one)->header("Pulse-Cursor"), "");
    }
    polls.drain();
    EXPECT_EQ(ask({{"cursor", World::at(1)}})->status(), 503);
    swept();
}

TEST_F(PollTest, S1ATokenThatEndsEndsThePoll) {
    const auto one = parked("60");
    world.hub.deliver({Position{1},
                       1,
                       R"(["pulse:system"])",
                       R"("pulse:revoke")",
                       "{}",
                       R"({"userId":"u1","jti":null,"revokedAt":9000000000,"expiresAt":9000003600,"reason":null})",
                       {}});
    world.hub.advance(Position{1});
    world.hub.flush();
    EXPECT_EQ(one->status(), 401);
    EXPECT_THAT(one->answer->body, HasSubstr("revoked"));
    swept();
}

TEST_F(PollTest, WhoHangsUpIsForgottenAtOnceWhateverItWaitedFor) {
    const auto one = parked();
    one->hang_up();
    EXPECT_EQ(world.hub.connections(), 0U);
    const auto asking = ask({{"cursor", World::at(0)}});
    asking->hang_up();
    decide(world, World::may_recover(0, 0));
    EXPECT_EQ(world.hub.connections(), 0U);
    const auto answered = parked();
    world.event(1, "a", "1");
    world.hub.flush();
    world.event(2, "a", "2");  // between its answer and its end
    world.hub.flush();
    EXPECT_EQ(answered->status(), 200);
    swept();
}

TEST_F(PollTest, D4NoDatabaseIs503WithRetryAfterWithinASecond) {
    world.queries.is_up = false;
    const auto one = ask({{"cursor", World::at(0)}});
    world.advance(999);
    EXPECT_EQ(one->status(), 503);
    EXPECT_EQ(one->header("Retry-After"), "1");
    swept();
}

TEST_F(PollTest, WhatWaitsKeepsLittleOfItsRequest) {
    FakeExchange exchange({{"room", "a"}, {"cursor", World::at(0)}}, world.token("u1"));
    exchange.asked.headers.emplace_back("origin", "https://app.example");
    exchange.asked.headers.emplace_back("user-agent", std::string(500, 'x'));
    polls.request(exchange);
    EXPECT_THAT(exchange.asked.headers, ::testing::ElementsAre(::testing::Pair("origin", "https://app.example")));
    EXPECT_TRUE(exchange.asked.query.empty());
    exchange.hang_up();
}

}  // namespace
}  // namespace bridge::transport
