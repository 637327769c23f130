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

}  // namespace
}  // namespace bridge::hub
