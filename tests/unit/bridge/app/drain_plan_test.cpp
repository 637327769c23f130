#include "app/drain_plan.hpp"

#include <gtest/gtest.h>

namespace bridge::app {
namespace {

using namespace std::chrono_literals;

TEST(DrainPlan, M10AFewLeaveAtOnce) {
    EXPECT_EQ(DrainPlan(0, 2000, 10s).told_by(0ms), 0u);
    EXPECT_EQ(DrainPlan(1, 2000, 10s).told_by(0ms), 1u);
    EXPECT_EQ(DrainPlan(200, 2000, 10s).told_by(0ms), 200u);
}

TEST(DrainPlan, M10ManyLeaveAtTheRate) {
    const DrainPlan plan(10'000, 2000, 10s);
    EXPECT_EQ(plan.told_by(0ms), 0u);
    EXPECT_EQ(plan.told_by(20ms), 40u);
    EXPECT_EQ(plan.told_by(1s), 2000u);
    EXPECT_EQ(plan.told_by(5s), 10'000u);
    EXPECT_EQ(plan.told_by(1h), 10'000u);
}

TEST(DrainPlan, M10VeryManyLeaveFasterThanTheRateSoThatThereIsTimeForTheLast) {
    const DrainPlan plan(100'000, 2000, 10s);
    EXPECT_EQ(plan.told_by(4s), 50'000u);
    EXPECT_EQ(plan.told_by(8s), 100'000u);
}

TEST(DrainPlan, M10WithoutTimeAllLeaveAtOnce) {
    EXPECT_EQ(DrainPlan(100'000, 1, 0ms).told_by(0ms), 100'000u);
    EXPECT_EQ(DrainPlan(10, 1, 100ms).told_by(0ms), 10u);
}

}  // namespace
}  // namespace bridge::app
