// Sessions that come back: everything they missed, once and in order, then live; by few queries, whoever else comes back.
#include "hub/history.hpp"

#include <gmock/gmock.h>

#include "history_fakes.hpp"

namespace bridge::hub {
namespace {

using test::Client;
using test::Past;
using testing::SizeIs;

TEST(History, E2_GivesFromTheRingWithoutAQuery) {
    Past past;
    for (int i = 0; i < 50; ++i) past.publish({i % 2 ? "a" : "b"});
    Client c = past.user("u", 10);
    past.recover(c, {{"a", Position{40}}, {"z", Position{40}}}, "<first>");
    ASSERT_THAT(past.outcomes, SizeIs(1));
    EXPECT_TRUE(past.outcomes[0].recovered);
    past.publish({"a"});
    past.hub.flush();
    EXPECT_EQ(c.sink->take(),
              "<first><e 42 @00000000000000e1:42><e 44 @00000000000000e1:44><e 46 @00000000000000e1:46><e 48 @00000000000000e1:48>"
              "<e 50 @00000000000000e1:50><e 51 @00000000000000e1:51>");
    EXPECT_THAT(past.log.asked, SizeIs(0));
}

TEST(History, E2_ReadsTheLogAndGoesLiveInOneTurn) {
    Past past;
    for (int i = 0; i < 10; ++i) past.publish({"a"});
    past.forget_ring();
    past.publish({"a"});
    Client c = past.user("u");
    past.recover(c, {{"a", Position{3}}}, "<first>");
    EXPECT_THAT(past.outcomes, SizeIs(0));
    past.history.turn();
    past.publish({"a"});  // while the page is read
    past.log.answer(past.history);
    ASSERT_THAT(past.outcomes, SizeIs(1));
    EXPECT_TRUE(past.outcomes[0].recovered);
    past.publish({"a"});
    EXPECT_EQ(past.got(c), "4 5 6 7 8 9 10 11 12 13");
    EXPECT_EQ(past.log.asked.size(), 1U);
}

TEST(History, E2_GivesAnEventOfOverlappingRoomsOnce) {
    Past past;
    past.publish({"a", "b"});
    past.publish({"b"});
    past.publish({"a", "b", "c"});
    past.publish({"c"});
    past.forget_ring();
    past.publish({"a", "c"});
    Client c = past.user("u");
    past.recover(c, {{"a", Position{0}}, {"b", Position{1}}, {"c", Position{3}}});
    past.settle();
    past.publish({"a", "b", "c"});
    EXPECT_EQ(past.got(c), "1 2 3 4 5 6");
}

TEST(History, E2_PagesWithoutHolesAtAnyBorder) {
    for (int page = 1; page <= 9; ++page) {
        HistoryOptions options;
        options.page = page;
        Past past({}, options);
        for (int i = 0; i < 8; ++i) past.publish({i % 2 ? "a" : "b"});
        past.publish({"elsewhere"});
        past.forget_ring();
        past.publish({"a"});
        Client both = past.user("u"), one = past.user("v");
        past.recover(both, {{"a", Position{1}}, {"b", Position{2}}});
        past.recover(one, {{"b", Position{4}}});
        past.settle();
        past.publish({"a", "b"});
        EXPECT_EQ(past.got(both), "2 3 4 5 6 7 8 10 11") << page;
        EXPECT_EQ(past.got(one), "5 7 11") << page;
    }
}

TEST(History, E2_GoesOnReadingWhenTheRingHasMovedOn) {
    HubOptions options;
    options.replay_buffer_bytes = 2000;
    Past past(options);
    for (int i = 0; i < 30; ++i) past.publish({"a"});
    Client c = past.user("u");
    past.recover(c, {{"a", Position{0}}});
    std::string expected;
    for (int round = 0; round < 4; ++round) {  // each time more goes by than the ring holds
        past.history.turn();
        for (int i = 0; i < 40; ++i) past.publish({"a"});
        past.log.answer(past.history);
        EXPECT_EQ(past.history.waiting(), 1U);
    }
    past.settle();
    past.publish({"a"});
    for (int i = 1; i <= 191; ++i) expected += (i > 1 ? " " : "") + std::to_string(i);
    EXPECT_EQ(past.got(c), expected);
    EXPECT_EQ(past.log.asked.size(), 5U);
}

TEST(History, E2_ACursorAheadOfThisBridgeWaitsForTheStream) {
    Past past;
    past.publish({"a"});
    Client c = past.user("u", 3);
    past.recover(c, {{"a", Position{3}}});
    ASSERT_THAT(past.outcomes, SizeIs(1));
    EXPECT_TRUE(past.outcomes[0].recovered);
    EXPECT_EQ(past.hub.cursor(c.session).position.value, 3U);
    for (int i = 0; i < 3; ++i) past.publish({"a"});
    EXPECT_EQ(past.got(c), "4");
    EXPECT_EQ(past.hub.cursor(c.session).position.value, 4U);
}

TEST(History, E2_LeavesOutWhatTheSessionItselfExcepted) {
    Past past;
    Client c = past.user("u");
    past.publish({"a"}, "e", "", R"({"exceptSession":")" + std::string(c.key.view()) + R"("})");
    past.publish({"a"});
    past.forget_ring();
    past.recover(c, {{"a", Position{0}}});
    past.settle();
    EXPECT_EQ(past.got(c), "2");
}

TEST(History, E2_BackfillsARoomWithoutWhatCameThroughOthers) {
    Past past;
    Client c = past.user("u");
    past.publish({"b"});  // 1
    ASSERT_EQ(past.hub.join(c.session, "a", Position{1}), Join::joined);
    past.publish({"a", "b"});  // 2: live
    past.publish({"b"});       // 3
    past.publish({"a"});       // 4: live
    EXPECT_EQ(past.got(c), "2 4");
    past.forget_ring();
    past.backfill(c, "b", 0);
    past.history.turn();
    past.publish({"a", "b"});  // 5: live through a, while the page is read
    past.publish({"b"});       // 6: after what is read
    past.log.answer(past.history);
    ASSERT_THAT(past.outcomes, SizeIs(1));
    EXPECT_TRUE(past.outcomes[0].recovered);
    past.publish({"b"});
    past.hub.flush();
    EXPECT_EQ(c.sink->take(), "<e 5 @00000000000000e1:5><e 1 @00000000000000e1:6><e 3 @00000000000000e1:6><e 6 @00000000000000e1:6>"
                              "<e 7 @00000000000000e1:7>");
}

TEST(History, E2_BackfillsARoomThatTheSessionIsInUpToItsJoin) {
    for (const bool from_ring : {false, true}) {
        Past past;
        Client c = past.user("u");
        for (int i = 0; i < 4; ++i) past.publish({"a"});
        past.hub.join(c.session, "a", Position{3});
        past.publish({"a"});
        EXPECT_EQ(past.got(c), "4 5");
        if (!from_ring) past.forget_ring();
        past.backfill(c, "a", 1);
        past.settle();
        past.publish({"a"});
        EXPECT_EQ(past.got(c), "2 3 6");
    }
}

TEST(History, E2_ACutPageIsTakenUpWhereItWasCut) {
    Past past;
    for (int i = 0; i < 6; ++i) past.publish({"a"});
    past.forget_ring();
    Client c = past.user("u");
    past.recover(c, {{"a", Position{0}}});
    past.history.turn();
    past.log.answer(past.history, 4);  // the connection is lost after four rows, and the page asked for again
    past.settle();
    EXPECT_EQ(past.got(c), "1 2 3 4 5 6");
    EXPECT_TRUE(past.outcomes.at(0).recovered);
}

TEST(History, E2_AnOldCursorDoesNotHoldUpTheOthers) {
    HubOptions hub_options;
    hub_options.replay_buffer_bytes = 0;
    HistoryOptions options;
    options.page = 10;
    options.near = 20;
    Past past(hub_options, options);
    for (int i = 0; i < 1000; ++i) past.publish({"a"});
    Client old = past.user("old"), fresh = past.user("fresh");
    past.recover(old, {{"a", Position{0}}});
    past.recover(fresh, {{"a", Position{985}}});
    for (int i = 0; i < 6; ++i) {
        past.history.turn();
        past.log.answer(past.history);
    }
    EXPECT_EQ(past.outcomes.size(), 1U);  // two pages sufficed, and old ones were between
    past.settle();
    const std::string all = past.got(old);
    EXPECT_EQ(std::count(all.begin(), all.end(), ' '), 999);
    EXPECT_EQ(past.got(fresh), "986 987 988 989 990 991 992 993 994 995 996 997 998 999 1000");
}

// ------------------------------------------------------------------------------------------------------------- bounds

TEST(History, E2_ASlowSocketGetsNoMoreThanItsWindowAndLosesNothing) {
    for (const bool from_ring : {false, true}) {
        HistoryOptions options;
        options.window = 200;  // a few events
        Past past({}, options);
        for (int i = 0; i < 100; ++i) past.publish({"a"});
        if (!from_ring) past.forget_ring();
        Client slow = past.user("slow"), quick = past.user("quick");
        slow.sink->choked = true;
        past.recover(slow, {{"a", Position{0}}});
        past.recover(quick, {{"a", Position{50}}});
        for (int i = 0; i < 200; ++i) {
            past.history.turn();
            if (past.log.open) past.log.answer(past.history);
            past.hub.flush();
            EXPECT_LT(past.hub.stats().queued_bytes, 300U);
        }
        EXPECT_TRUE(past.outcomes.size() == 1 && past.outcomes[0].recovered);  // the quick one
        EXPECT_FALSE(past.history.ready());
        slow.sink->choked = false;
        for (int i = 0; i < 1000 && past.history.waiting() > 0; ++i) {
            past.hub.writable(slow.connection);
            past.history.turn();
            if (past.log.open) past.log.answer(past.history);
            past.hub.flush();
        }
        past.publish({"a"});
        std::string expected;
        for (int i = 1; i <= 101; ++i) expected += (i > 1 ? " " : "") + std::to_string(i);
        EXPECT_EQ(past.got(slow), expected) << from_ring;
    }
}

TEST(History, E2_ASessionThatIsGoneMeanwhileIsForgotten) {
    Past past;
    for (int i = 0; i < 4; ++i) past.publish({"a"});
    past.forget_ring();
    Client waiting = past.user("w"), reading = past.user("r"), slow = past.user("s"), stays = past.user("t");
    for (Client *c : {&reading, &slow, &stays}) past.recover(*c, {{"a", Position{0}}});
    past.history.turn();
    past.recover(waiting, {{"a", Position{0}}});
    for (Client *c : {&waiting, &reading}) past.hub.closed(c->connection);
    past.hub.close(slow.connection, Errc::slow_client);
    past.log.answer(past.history);
    past.settle();
    EXPECT_EQ(past.got(stays), "1 2 3 4");
    EXPECT_EQ(past.got(slow), "");
    EXPECT_EQ(past.metrics.recoveries("gone").Value(), 3);
    EXPECT_EQ(past.hub.members("a"), 1U);
}

TEST(History, E2_TooMuchIsKnownBeforeAnythingIsSent) {
    for (const bool from_ring : {false, true}) {
        HistoryOptions options;
        options.max_events = 10;
        options.page = 4;
        Past past({}, options);
        for (int i = 0; i < 60; ++i) past.publish({i % 5 == 0 ? "few" : "many"});
        if (!from_ring) past.forget_ring();
        Client many = past.user("m"), few = past.user("f");
        past.recover(many, {{"many", Position{0}}}, "<first>");
        past.recover(few, {{"few", Position{10}}});
        past.settle();
        ASSERT_EQ(past.outcomes.size(), 2U);
        EXPECT_EQ(past.metrics.recoveries("too_much").Value(), 1);
        EXPECT_EQ(many.sink->take(), "");
        EXPECT_FALSE(past.hub.in_room(many.session, "many"));
        EXPECT_EQ(past.got(few), "11 16 21 26 31 36 41 46 51 56");
    }
}

TEST(History, E2_BeyondItsBoundsItSaysUnavailable) {
    Past past({}, {.max_waiting = 2, .max_waiting_rooms = 3});
    past.publish({"a"});
    past.forget_ring();
    Client one = past.user("1"), two = past.user("2"), three = past.user("3");
    past.recover(one, {{"a", Position{0}}});
    past.recover(two, {{"a", Position{0}}, {"b", Position{0}}, {"c", Position{0}}});
    ASSERT_EQ(past.outcomes.size(), 1U);
    EXPECT_EQ(past.outcomes[0].reason, "unavailable");
    past.recover(two, {{"a", Position{0}}});
    past.recover(three, {{"a", Position{0}}});
    EXPECT_EQ(past.outcomes.size(), 2U);
    past.settle();
    EXPECT_EQ(past.metrics.recoveries("recovered").Value(), 2);
}

TEST(History, E2_WhatIsBelowTheFloorIsExpiredAndNothingWasSent) {
    Past past;
    for (int i = 0; i < 9; ++i) past.publish({"a"});
    past.forget_ring();
    past.log.floor = 5;
    Client below = past.user("b"), at = past.user("a");
    past.recover(below, {{"a", Position{3}}}, "<first>");
    past.recover(at, {{"a", Position{4}}});
    past.settle();
    ASSERT_EQ(past.outcomes.size(), 2U);
    EXPECT_EQ(past.outcomes[0].reason, "expired");
    EXPECT_FALSE(past.outcomes[0].begun);
    EXPECT_EQ(below.sink->take(), "");
    EXPECT_EQ(past.got(at), "5 6 7 8 9");
}

TEST(History, E2_TheFloorPassingABegunRecoveryIsSaidToo) {
    HistoryOptions options;
    options.page = 2;
    Past past({}, options);
    for (int i = 0; i < 9; ++i) past.publish({"a"});
    past.forget_ring();
    Client c = past.user("u");
    past.recover(c, {{"a", Position{0}}});
    past.history.turn();
    past.log.answer(past.history);
    past.log.floor = 6;
    past.settle();
    ASSERT_EQ(past.outcomes.size(), 1U);
    EXPECT_EQ(past.outcomes[0].reason, "expired");
    EXPECT_TRUE(past.outcomes[0].begun);
    EXPECT_FALSE(past.hub.in_room(c.session, "a"));
}

TEST(History, E2_ADatabaseThatIsAwayIsUnavailable) {
    Past past;
    past.publish({"a"});
    past.forget_ring();
    Client c = past.user("u");
    past.recover(c, {{"a", Position{0}}});
    past.history.turn();
    past.log.open = false;
    past.history.failed(History::Failure::unavailable);
    ASSERT_EQ(past.outcomes.size(), 1U);
    EXPECT_EQ(past.outcomes[0].reason, "unavailable");
    EXPECT_EQ(past.history.waiting(), 0U);
}

TEST(History, E7_ALostStreamEndsRecoveriesToo) {
    Past past;
    for (int i = 0; i < 4; ++i) past.publish({"a"});
    past.forget_ring();
    Client c = past.user("u");
    past.recover(c, {{"a", Position{0}}});
    past.history.turn();
    past.hub.lost();
    past.hub.start_anew();
    past.settle();
    EXPECT_EQ(past.outcomes.at(0).reason, "gone");
    EXPECT_EQ(past.got(c), "");
    EXPECT_THAT(c.sink->closes, testing::ElementsAre(Errc::must_refetch));
}

}  // namespace
}  // namespace bridge::hub
