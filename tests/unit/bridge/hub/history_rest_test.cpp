// A storm of sessions that come back: few queries, because nothing is asked for a moment after a query.
#include "hub/history.hpp"

#include <gmock/gmock.h>

#include "history_fakes.hpp"

namespace bridge::hub {
namespace {

using test::Client;
using test::Past;
using testing::SizeIs;

TEST(History, E2_ThoseWhoComeWhileItRestsShareTheNextQuery) {
    Past past;
    for (int i = 0; i < 3; ++i) past.publish({"a"});
    past.forget_ring();
    Client c = past.user("u"), d = past.user("v");
    past.log.rests = true;
    past.recover(c, {{"a", Position{1}}});
    past.history.turn();
    past.recover(d, {{"a", Position{0}}});
    past.history.turn();
    EXPECT_THAT(past.log.asked, SizeIs(0));
    past.log.rests = false;
    past.settle();
    EXPECT_THAT(past.log.asked, SizeIs(1));
    EXPECT_EQ(past.got(c), "2 3");
    EXPECT_EQ(past.got(d), "1 2 3");
}

}  // namespace
}  // namespace bridge::hub
