#include "queue/backoff.hpp"

#include <gtest/gtest.h>

namespace pulse::queue {
namespace {

TEST(Backoff, DoublesFromOneSecondToAnHour) {
    EXPECT_EQ(backoff_seconds(1, 0), 1);
    EXPECT_EQ(backoff_seconds(2, 0), 2);
    EXPECT_EQ(backoff_seconds(5, 0), 16);
    EXPECT_EQ(backoff_seconds(12, 0), 2048);
    EXPECT_EQ(backoff_seconds(13, 0), 3600);
    EXPECT_EQ(backoff_seconds(1000, 0), 3600);
    EXPECT_EQ(backoff_seconds(0, 0), 1);
}

TEST(Backoff, JitterAddsUpToATenth) {
    EXPECT_DOUBLE_EQ(backoff_seconds(3, 0.5), 4.2);
    EXPECT_LT(backoff_seconds(1000, 0.999999), 3960);
}

}  // namespace
}  // namespace pulse::queue
