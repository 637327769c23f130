// What a client that came back is sent when it was not all in memory, and how that can end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recovering.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using CatchingUp = Recovering;
using Kind = codec::Inbound::Kind;

TEST_F(CatchingUp, WhatIsNoLongerInTheRingIsReadAndUntilThenPacketsWait) {
    world.hub.advance(Position{100});
    world.hub.start_anew();
    Caller peer(world);
    come_back(peer, R"(,"offset":")" + at(50) + '"');
    peer.emit("early");
    answer(found({"room"}, 50, 100));
    EXPECT_THAT(peer.take(), IsEmpty());
    world.history.turn();
    ASSERT_EQ(world.log.asked.size(), 1U);
    EXPECT_EQ(world.log.asked[0].after, Position{50});
    EXPECT_TRUE(world.queries.handles.empty());
    world.history.row({Position{60}, 60, R"(["room"])", R"("e")", "{}", "60", {}});
    world.history.page_done(false);
    EXPECT_EQ(peer.take(), (std::vector<std::string>{R"(40{"sid":"ssssssssssssssssssss","pid":"pppppppppppppppppppp"})",
                                                     R"(42["e",60,")" + at(60) + R"("])"}));
    EXPECT_EQ(world.queries.handles.size(), 1U) << "what it sent meanwhile";
}

TEST_F(CatchingUp, AHistoryThatIsGoneBeforeAnythingWasSentIsAnOrdinaryNewSession) {
    world.hub.advance(Position{100});
    world.hub.start_anew();
    Caller peer(world, Protocol::native);
    peer.say(Kind::connect, "/",
             R"({"token":")" + world.token("u1") + R"(","recovery":"pppppppppppppppppppp","since":")" + at(50) + R"("})");
    answer(found({"room"}, 50, 100, 5));
    world.history.turn();
    world.history.failed(hub::History::Failure::expired);
    EXPECT_EQ(recover_asked(), "none") << "asked anew, for another session";
    EXPECT_THAT(world.store(), HasSubstr(R"("key":"kkkkkkkkkkkkkkkkkkkk","generation":5,"ended":true,"forget":true)"));
    answer(World::allowed({"room"}, 100));
    EXPECT_THAT(peer.one(), ::testing::AllOf(HasSubstr(R"("recovered":false,"mustRefetch":"expired")"), Not(HasSubstr(kPid))));
}

TEST_F(CatchingUp, AHistoryThatBreaksOffEndsTheConnectionAndTheClientComesBackWithWhatItHas) {
    world.hub.advance(Position{100});
    world.hub.start_anew();
    Caller peer(world);
    come_back(peer, R"(,"offset":")" + at(50) + '"');
    answer(found({"room"}, 50, 100));
    world.history.turn();
    world.history.row({Position{60}, 60, R"(["room"])", R"("e")", "{}", "60", {}});
    world.history.failed(hub::History::Failure::expired);
    EXPECT_EQ(peer.take().size(), 2U);
    EXPECT_EQ(peer.sink.closes, std::vector{Errc::must_refetch});
    EXPECT_THAT(world.store(), HasSubstr(R"("generation":2,"ended":true})"));
    EXPECT_TRUE(world.queries.connects.empty());
}

TEST_F(CatchingUp, WhileTheDatabaseIsAwayTheClientIsToldToTryAgain) {
    world.hub.advance(Position{100});
    world.hub.start_anew();
    Caller peer(world);
    come_back(peer, R"(,"offset":")" + at(50) + '"');
    answer(found({"room"}, 50, 100));
    world.history.turn();
    world.history.failed(hub::History::Failure::unavailable);
    EXPECT_THAT(peer.take(), IsEmpty());
    EXPECT_EQ(peer.sink.closes, std::vector{Errc::unavailable});
    EXPECT_THAT(world.store(), HasSubstr(R"("generation":2,"ended":true})"));
}

TEST_F(CatchingUp, ASocketThatClosesWhileItCatchesUpMayTryAgain) {
    world.hub.advance(Position{100});
    world.hub.start_anew();
    Caller peer(world);
    come_back(peer, R"(,"offset":")" + at(50) + '"');
    answer(found({"room"}, 50, 100));
    world.history.turn();
    peer.hang_up();
    EXPECT_THAT(world.store(), HasSubstr(R"("generation":2,"ended":true})"));
    world.history.page_done(false);
    EXPECT_EQ(world.hub.sessions(), 0U);
}

TEST_F(CatchingUp, AheadOfThisBridgeItWaitsAndItsPlaceNeverGoesBack) {
    world.hub.advance(Position{10});
    Caller peer(world);
    come_back(peer, R"(,"offset":")" + at(20) + '"');
    answer(found({"room"}, 20, 25));
    EXPECT_EQ(peer.take().size(), 1U);
    peer.emit("ping");
    EXPECT_THAT(peer.one(), HasSubstr(R"("},")" + at(20) + R"("])"));
    world.event(15, "room", "15");
    EXPECT_THAT(peer.take(), IsEmpty()) << "it has that";
    world.event(21, "room", "21");
    EXPECT_EQ(peer.one(), R"(42["e",21,")" + at(21) + R"("])");
}

}  // namespace
}  // namespace bridge::handlers::test
