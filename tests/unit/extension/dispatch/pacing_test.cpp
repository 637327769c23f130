#include "dispatch/pacing.hpp"

#include <gtest/gtest.h>

namespace pulse::dispatch {
namespace {

// Ticks at this rate of events until the pause settles; returns it.
double settled(double rate, double max_gap = 8) {
    Pacing pacing;
    double now = 1000, gap = 0;
    for (int i = 0; i < 5000; ++i) {
        const double passed = gap / 1000 + 0.0003;
        now += passed;
        gap = pacing.after_tick(now, rate * passed, max_gap);
    }
    return gap;
}

TEST(Pacing, ALoneEventIsNotDelayed) {
    Pacing pacing;
    EXPECT_EQ(pacing.after_tick(1000, 1, 8), 0);
    EXPECT_EQ(pacing.after_tick(2000, 1, 8), 0);
    EXPECT_EQ(pacing.after_tick(2000.5, 0, 8), 0);
}

TEST(Pacing, ACalmStreamIsNotDelayed) {
    EXPECT_EQ(settled(100), 0);
    EXPECT_EQ(settled(1000), 0);
    EXPECT_EQ(settled(1900), 0);
}

TEST(Pacing, ThePauseGrowsWithTheRateUpToItsMaximum) {
    EXPECT_GT(settled(4000), 0.5);
    EXPECT_GT(settled(7000), settled(4000));
    EXPECT_NEAR(settled(20000), 8, 0.01);
    EXPECT_NEAR(settled(20000, 100), 100, 0.01);
    EXPECT_EQ(settled(20000, 0), 0);
}

TEST(Pacing, TicksBehindEachOtherLeaveTheDiskToTheWriters) {
    Pacing pacing;
    double now = 1000, pause = 0;
    for (int i = 0; i < 100; ++i) {
        now += pause / 1000 + 0.001;  // work was waiting when the pause ended
        pause = pacing.after_tick(now, 1, 8, 0.001);
    }
    EXPECT_NEAR(pause, 2, 0.01);
    EXPECT_EQ(pacing.after_tick(now + 0.0005 + pause / 1000 + 0.02, 1, 8, 0.02), 8);  // never more than the setting allows
    EXPECT_EQ(pacing.after_tick(now + 1, 0, 8, 0.9), 0);                              // nothing was found: nobody is writing
}

TEST(Pacing, QuickTicksOfACalmStreamDoNotCount) {
    Pacing pacing;
    double now = 1000;
    for (int i = 0; i < 100; ++i) EXPECT_EQ(pacing.after_tick(now += 0.001, 1, 8, 0.0003), 0);
}

TEST(Pacing, AfterABurstItIsAtOnceAgain) {
    Pacing pacing;
    double now = 1000;
    for (int i = 0; i < 100; ++i) pacing.after_tick(now += 0.01, 500, 8);
    EXPECT_NEAR(pacing.after_tick(now += 0.01, 500, 8), 8, 0.01);
    EXPECT_EQ(pacing.after_tick(now + 1, 1, 8), 0);
}

}  // namespace
}  // namespace pulse::dispatch
