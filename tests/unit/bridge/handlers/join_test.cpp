// Joins and leaves: decided in SQL, acked with their position, told no more than the policy says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Join, AllowedJoinsAreAckedWithTheirPositionThenReplayed) {
    World world;
    Caller peer(world);
    peer.settle({});
    peer.emit("room:join", R"([{"room":"r1"}])", "3");
    world.hub.deliver({Position{6}, 6, R"(["r1"])", R"("e")", "{}", "6", {}});
    world.hub.advance(Position{6});
    ASSERT_EQ(world.queries.decisions.size(), 1U);
    EXPECT_EQ(world.queries.decisions.front().what, "r1");
    world.queries.decisions.front().then(World::decision(true, 5));
    EXPECT_EQ(peer.take(), (std::vector<std::string>{R"(433[{"ok":true,"room":"r1","position":"9f3c01ab5577de20:5"}])", R"(42["e",6])"}));
}

TEST(Join, DeniedJoinsSayForbiddenAndNotWhy) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.emit("room:join", R"(["r1"])", "3");
    world.queries.decisions.front().then(World::decision(false));
    const std::string answer = peer.one();
    EXPECT_THAT(answer, HasSubstr(R"("code":"forbidden")"));
    EXPECT_EQ(answer.find("because"), std::string::npos);
    EXPECT_EQ(world.hub.members("r1"), 0U);
}

TEST(Join, E3APolicysOwnWordsAreTheAnswer) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.emit("room:join", R"(["r1"])", "3");
    db::Decision full = World::decision(false);
    full.refusal = Error{Errc::conflict, "full", "Come later.", 5, R"("seats":0)"};
    world.queries.decisions.front().then(full);
    const std::string answer = peer.one();
    EXPECT_THAT(answer, ::testing::StartsWith(R"(433[{"error":{"code":"conflict","message":"full","hint":"Come later.")"));
    EXPECT_THAT(answer, HasSubstr(R"("retryAfter":5)"));
    EXPECT_THAT(answer, HasSubstr(R"("seats":0)"));
    EXPECT_EQ(world.hub.members("r1"), 0U);
    peer.emit("room:join", R"(["r1"])", "4");
    EXPECT_EQ(world.queries.decisions.size(), 2U) << "and the session goes on";
}

TEST(Join, ARoomThatTheSessionIsInIsAskedAboutNoMore) {
    World world;
    Caller peer(world);
    peer.settle({"given"});
    world.hub.advance(Position{8});
    peer.emit("room:join", R"(["given"])", "3");
    EXPECT_EQ(peer.one(), R"(433[{"ok":true,"room":"given","position":"9f3c01ab5577de20:8"}])") << "with its place in the stream";
    EXPECT_TRUE(world.queries.decisions.empty());
    peer.emit("room:join", R"([{"room":"given","since":"9f3c01ab5577de20:1"}])", "4");
    EXPECT_EQ(world.queries.decisions.size(), 1U) << "what came before is another question";
}

TEST(Join, E2ARoomThatBeginsBeyondWhatThisBridgeHasReadIsAskedAboutAgain) {
    World world;
    Caller peer(world);
    peer.settle({});
    world.hub.advance(Position{4});
    peer.emit("room:join", R"(["r1"])", "3");
    world.queries.decisions.front().then(World::decision(true, 9));
    world.queries.decisions.pop_front();
    EXPECT_EQ(peer.one(), R"(433[{"ok":true,"room":"r1","position":"9f3c01ab5577de20:9"}])");
    peer.emit("room:join", R"(["r1"])", "4");
    ASSERT_EQ(world.queries.decisions.size(), 1U) << "the bridge's own place, 4, would promise events that are not the room's";
    world.queries.decisions.front().then(World::decision(true, 11));
    world.queries.decisions.pop_front();
    EXPECT_EQ(peer.one(), R"(434[{"ok":true,"room":"r1","position":"9f3c01ab5577de20:11"}])");
    world.hub.advance(Position{12});
    peer.emit("room:join", R"(["r1"])", "5");
    EXPECT_EQ(peer.one(), R"(435[{"ok":true,"room":"r1","position":"9f3c01ab5577de20:12"}])");
    EXPECT_TRUE(world.queries.decisions.empty());
}

TEST(Join, ADecisionOlderThanTheRingIsAskedAgain) {
    World world;
    Caller peer(world);
    peer.settle({});
    world.hub.advance(Position{100});
    world.hub.start_anew();
    peer.emit("room:join", R"(["r1"])", "3");
    for (int i = 0; i < 2; ++i) {
        world.queries.decisions.front().then(World::decision(true, 50));
        world.queries.decisions.pop_front();
        EXPECT_THAT(peer.take(), IsEmpty());
        ASSERT_EQ(world.queries.decisions.size(), 1U) << "asked again";
    }
    world.queries.decisions.front().then(World::decision(true, 100));
    EXPECT_THAT(peer.one(), HasSubstr(R"("ok":true)"));
}

TEST(Join, BadRoomsAreRefusedWithoutAskingSql) {
    World world;
    Caller peer(world);
    peer.settle();
    for (const std::string &args :
         {std::string("[]"), std::string("[{}]"), std::string("[5]"), std::string(R"([{"room":""}])"), std::string(R"([{"room":["a"]}])"),
          "[\"" + std::string(256, 'x') + "\"]", std::string(R"(["a\u0000b"])")}) {
        peer.emit("room:join", args, "1");
        EXPECT_THAT(peer.one(), HasSubstr(R"(431[{"error":{"code":")")) << args;
    }
    EXPECT_TRUE(world.queries.decisions.empty());
}

TEST(Leave, NeedsNoPermissionAndEndsDelivery) {
    World world;
    Caller peer(world);
    peer.settle({"all"});
    peer.emit("room:leave", R"([{"room":"all"}])", "1");
    world.hub.deliver({Position{1}, 1, R"(["all"])", R"("e")", "{}", "1", {}});
    EXPECT_THAT(peer.take(), IsEmpty());
    EXPECT_THAT(world.store(), HasSubstr(R"("leave":"all")"));
    EXPECT_EQ(peer.one(), R"(431[{"ok":true}])");
    peer.emit("room:leave", R"([{"room":"never"}])", "2");
    EXPECT_EQ(peer.one(), R"(432[{"ok":true}])");
}
}  // namespace
}  // namespace bridge::handlers::test
