// C5: how often a session says that events are lost.
#include "publish/warning_pace.hpp"

#include <gtest/gtest.h>

using pulse::publish::WarningPace;

namespace {

constexpr std::int64_t kBegin = 1'000'000'000, kEvery = WarningPace::kEvery;

TEST(WarningPace, SaysTheFirstOfEachReasonAtOnce) {
    WarningPace pace;
    EXPECT_EQ(pace.lost(1, 10, kBegin), 0U);
    EXPECT_EQ(pace.lost(2, 10, kBegin), 0U) << "another trigger";
    EXPECT_EQ(pace.lost(1, 11, kBegin), 0U) << "another error";
    EXPECT_EQ(pace.lost(1, 10, kBegin + 1), std::nullopt);
}

TEST(WarningPace, SaysHowManyOthersThereWereOnceInAWhile) {
    WarningPace pace;
    pace.lost(1, 10, kBegin);
    for (int n = 0; n < 1000; ++n) EXPECT_EQ(pace.lost(1, 10, kBegin + n), std::nullopt);
    EXPECT_EQ(pace.lost(1, 10, kBegin + kEvery - 1), std::nullopt);
    EXPECT_EQ(pace.lost(1, 10, kBegin + kEvery), 1001U);
    EXPECT_EQ(pace.lost(1, 10, kBegin + kEvery + 1), std::nullopt);
    EXPECT_EQ(pace.lost(1, 10, kBegin + 3 * kEvery), 1U);
}

TEST(WarningPace, AClockThatWasSetBackDoesNotSilenceIt) {
    WarningPace pace;
    pace.lost(1, 10, kBegin);
    pace.lost(1, 10, kBegin);
    EXPECT_EQ(pace.lost(1, 10, kBegin - 1), 1U);
}

TEST(WarningPace, KnowsABoundedNumberOfReasons) {
    WarningPace pace;
    for (std::uint32_t n = 0; n <= WarningPace::kReasons; ++n) EXPECT_EQ(pace.lost(n, 10, kBegin + n), 0U);
    EXPECT_EQ(pace.lost(1, 10, kBegin + 100), std::nullopt) << "the newer ones are known";
    EXPECT_EQ(pace.lost(WarningPace::kReasons, 10, kBegin + 100), std::nullopt);
    EXPECT_EQ(pace.lost(0, 10, kBegin + 100), 0U) << "the oldest was forgotten";
}

}  // namespace
