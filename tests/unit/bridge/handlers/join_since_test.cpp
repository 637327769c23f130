// room:join with `since`, and what leaves and joins say to the database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string at(std::uint64_t position) { return std::string(kEpoch) + ":" + std::to_string(position); }

db::Decision may_replay(std::uint64_t since, std::uint64_t now) {
    db::Decision decision = World::decision(true, now);
    decision.recovered = true;
    decision.since = Position{since};
    return decision;
}

void answer(World &world, Result<db::Decision> with) {
    ASSERT_FALSE(world.queries.decisions.empty());
    auto then = std::move(world.queries.decisions.front().then);
    world.queries.decisions.pop_front();
    then(std::move(with));
}

TEST(JoinSince, WhatWasMissedComesBeforeTheAckThatSaysItIsAll) {
    World world;
    Caller peer(world);
    peer.settle({});
    for (std::uint64_t n = 1; n <= 3; ++n) world.event(n, "r", std::to_string(n));
    peer.emit("room:join", R"([{"room":"r","since":")" + at(1) + R"("}])", "3");
    EXPECT_EQ(world.queries.decisions.front().request.since, at(1));
    EXPECT_EQ(world.queries.decisions.front().request.generation, 1U);
    answer(world, may_replay(1, 3));
    world.event(4, "r", "4");
    EXPECT_EQ(peer.take(),
              (std::vector<std::string>{R"(42["e",2])", R"(42["e",3])",
                                        R"(433[{"ok":true,"room":"r","position":")" + at(3) + R"(","recovered":true}])", R"(42["e",4])"}));
}

TEST(JoinSince, BackfillLeavesTheSessionsPlaceWhereItIs) {
    World world{HandlerOptions{}};
    Caller peer(world);
    peer.settle({"other"});
    world.event(1, "r", "1");
    world.event(2, "other", "2");
    peer.take();
    peer.emit("room:join", R"([{"room":"r","since":")" + at(0) + R"("}])", "3");
    answer(world, may_replay(0, 2));
    EXPECT_EQ(peer.take()[0], R"(42["e",1,")" + at(2) + R"("])");
}

TEST(JoinSince, ARefusalOfThePastIsStillAJoin) {
    World world;
    Caller peer(world);
    peer.settle({});
    world.event(1, "r", "1");
    peer.emit("room:join", R"([{"room":"r","since":")" + at(0) + R"("}])", "3");
    db::Decision decision = World::decision(true, 1);
    decision.must_refetch = "forbidden";
    answer(world, decision);
    EXPECT_EQ(peer.one(), R"(433[{"ok":true,"room":"r","position":")" + at(1) + R"(","recovered":false,"mustRefetch":"forbidden"}])");
    EXPECT_EQ(world.hub.members("r"), 1U);
}

TEST(JoinSince, NonsenseIsUnknownAndAnotherTypeIsRefused) {
    World world;
    Caller peer(world);
    peer.settle({});
    peer.emit("room:join", R"([{"room":"r","since":"yesterday"}])", "3");
    EXPECT_EQ(world.queries.decisions.front().request.since, "");
    answer(world, World::decision(true));
    EXPECT_THAT(peer.one(), HasSubstr(R"("recovered":false,"mustRefetch":"unknown"}])"));
    peer.emit("room:join", R"([{"room":"s","since":5}])", "4");
    EXPECT_THAT(peer.one(), HasSubstr(R"("code":"bad_request")"));
    peer.emit("room:join", R"([{"room":"s","since":null}])", "5");
    answer(world, World::decision(true));
    EXPECT_EQ(peer.one(), R"(435[{"ok":true,"room":"s","position":")" + at(0) + R"("}])") << "as without it";
}

TEST(JoinSince, APastThatIsGoneMeanwhileIsSaidInTheAck) {
    World world;
    Caller peer(world);
    peer.settle({});
    world.hub.advance(Position{100});
    world.hub.start_anew();
    peer.emit("room:join", R"([{"room":"r","since":")" + at(50) + R"("}])", "3");
    answer(world, may_replay(50, 100));
    world.history.turn();
    world.history.failed(hub::History::Failure::expired);
    EXPECT_THAT(peer.one(), HasSubstr(R"("recovered":false,"mustRefetch":"expired"}])"));
    EXPECT_EQ(world.hub.members("r"), 1U);
}

TEST(JoinSince, WhileTheDatabaseIsAwayTheJoinIsRefusedAndBookedOut) {
    World world;
    Caller peer(world);
    peer.settle({});
    world.hub.advance(Position{100});
    world.hub.start_anew();
    peer.emit("room:join", R"([{"room":"r","since":")" + at(50) + R"("}])", "3");
    answer(world, may_replay(50, 100));
    world.history.turn();
    world.history.failed(hub::History::Failure::unavailable);
    EXPECT_THAT(peer.one(), HasSubstr(R"("code":"unavailable")"));
    EXPECT_EQ(world.hub.members("r"), 0U);
    EXPECT_THAT(world.store(), HasSubstr(R"("leave":"r")"));
}

TEST(Leave, IsBookedAndWhatJoinsAfterItWaitsUntilItIsStored) {
    World world;
    Caller peer(world);
    peer.settle({"r"});
    peer.emit("room:leave", R"(["r"])");
    peer.emit("room:join", R"(["r"])", "2");
    EXPECT_TRUE(world.queries.decisions.empty());
    EXPECT_THAT(world.store(), HasSubstr(R"("leave":"r"})"));
    EXPECT_EQ(world.queries.decisions.size(), 1U);

    peer.emit("room:leave", R"(["never in it"])");
    EXPECT_EQ(world.store(), "");
}

TEST(Leave, WhileTheDatabaseIsAwayItIsAckedAllTheSame) {
    World world;
    Caller peer(world);
    peer.settle({"r"});
    peer.emit("room:leave", R"(["r"])", "1");
    EXPECT_THAT(peer.take(), IsEmpty());
    auto then = std::move(world.queries.bookkeeping.front().second);
    world.queries.bookkeeping.pop_front();
    then(Error{Errc::unavailable, "away"});
    EXPECT_EQ(peer.one(), R"(431[{"ok":true}])");
}

TEST(Leave, WhenItCannotBeStoredWhatComesAfterItIsRefused) {
    World world;
    Caller peer(world);
    peer.settle({"r"});
    peer.emit("room:leave", R"(["r"])");
    peer.emit("save", "[]", "2");
    auto then = std::move(world.queries.bookkeeping.front().second);
    world.queries.bookkeeping.pop_front();
    then(Error{Errc::unavailable, "away"});
    EXPECT_THAT(peer.one(), HasSubstr(R"(432[{"error":{"code":"unavailable")"));
    EXPECT_TRUE(world.queries.handles.empty());
    world.advance(1'000);
    EXPECT_THAT(world.store(), HasSubstr(R"("leave":"r"})"));
    peer.emit("save", "[]", "3");
    EXPECT_EQ(world.queries.handles.size(), 1U);
}

}  // namespace
}  // namespace bridge::handlers::test
