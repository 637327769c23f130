#include "base/token_bucket.hpp"

#include <gtest/gtest.h>

namespace bridge {
namespace {

TEST(TokenBucket, M10GivesABurstAndThenTheRate) {
    TokenBucket bucket;
    for (int i = 0; i < 20; ++i) EXPECT_EQ(bucket.take(1000, 10, 20), 0) << i;
    EXPECT_EQ(bucket.take(1000, 10, 20), 100);
    EXPECT_EQ(bucket.take(1060, 10, 20), 40);  // what is refused costs nothing
    EXPECT_EQ(bucket.take(1100, 10, 20), 0);
    EXPECT_EQ(bucket.take(1100, 10, 20), 100);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(bucket.take(9000, 10, 20), 0) << i;  // a pause fills it, and no further than full
    EXPECT_GT(bucket.take(9000, 10, 20), 0);
}

TEST(TokenBucket, M10WithoutARateThereIsNoLimit) {
    TokenBucket bucket;
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(bucket.take(0, 0, 0), 0);
}

TEST(TokenBucket, M10OverASecondItGivesTheRate) {
    for (const std::uint32_t rate : {1u, 3u, 100u, 7000u}) {
        TokenBucket bucket;
        while (bucket.take(0, rate, 2 * rate) == 0) {}
        std::uint32_t given = 0;
        for (std::int64_t now = 1; now <= 10'000; ++now) {
            while (bucket.take(now, rate, 2 * rate) == 0) ++given;
        }
        EXPECT_NEAR(given, 10 * rate, rate / 50 + 1) << rate;
    }
}

}  // namespace
}  // namespace bridge
