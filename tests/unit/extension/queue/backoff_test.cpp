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

TEST(Backoff, AKindOrQueueMaySayOther) {
    EXPECT_EQ(backoff_seconds(1, 0, {0.25, 10}), 0.25);
    EXPECT_EQ(backoff_seconds(4, 0, {0.25, 10}), 2);
    EXPECT_EQ(backoff_seconds(50, 0, {0.25, 10}), 10);
    EXPECT_EQ(backoff_seconds(5, 0, {0, 10}), 0) << "at once";
}

TEST(Backoff, E4RetryAfterIsNeverUndercut) {
    EXPECT_EQ(retry_seconds(1, 0, {}, std::nullopt), 1);
    EXPECT_EQ(retry_seconds(1, 0, {}, 30000), 30);
    EXPECT_EQ(retry_seconds(10, 0, {}, 1000), 512) << "our own wait is longer";
    EXPECT_EQ(retry_seconds(1, 0, {}, std::int64_t{7} * 24 * 3600 * 1000), 7 * 24 * 3600) << "a worker outside knows why";
    EXPECT_EQ(retry_seconds(1, 0, {}, -5), 1);
}

}  // namespace
}  // namespace pulse::queue
