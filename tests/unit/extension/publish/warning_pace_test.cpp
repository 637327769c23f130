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

TEST(WarningPace, CountsTheReasonsBeyondTheOnesItKeeps) {
    WarningPace pace;
    const std::uint32_t most = WarningPace::kReasons;
    for (std::uint32_t n = 0; n < most; ++n) EXPECT_EQ(pace.lost(n, 10, kBegin + n), 0U);
    EXPECT_EQ(pace.lost(most, 10, kBegin + 100), std::nullopt) << "one too many is counted with the oldest";
    EXPECT_EQ(pace.lost(1, 10, kBegin + 100), std::nullopt) << "those that are known stay known";
    EXPECT_EQ(pace.lost(most, 10, kBegin + kEvery), 1U) << "when the oldest is due, what comes takes its place, and says its others";
    EXPECT_EQ(pace.lost(0, 10, kBegin + kEvery), std::nullopt) << "which is forgotten";
}

TEST(WarningPace, ManyReasonsInTurnSayNoMoreThanItKeepsApart) {
    WarningPace pace;
    const std::uint64_t reasons = WarningPace::kReasons + 1, rows = 100 * reasons;
    std::uint64_t said = 0, told = 0;
    for (std::uint64_t row = 0; row < rows; ++row) {
        if (const auto others = pace.lost(static_cast<std::uint32_t>(row % reasons), 10, kBegin + static_cast<std::int64_t>(row)))
            told += *others, ++said;
    }
    EXPECT_EQ(said, WarningPace::kReasons);
    for (std::uint32_t n = 0; n < reasons; ++n) {
        if (const auto others = pace.lost(n, 10, kBegin + 2 * kEvery)) told += *others, ++said;
    }
    EXPECT_EQ(said + told, rows + WarningPace::kReasons) << "every one is said or counted; the last of the 33 waits";
}

}  // namespace
