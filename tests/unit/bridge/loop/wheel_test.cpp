// Deadlines: never early, at most a slot late, whatever entries do to each other while they fire.
#include "loop/wheel.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace bridge::loop {
namespace {

struct Alarm : Wheel::Entry {
    Alarm()
        : Entry([](Entry &entry) {
              auto &self = static_cast<Alarm &>(entry);
              ++self.fired;
              if (self.then) self.then();
          }) {}
    int fired = 0;
    std::function<void()> then;
};

TEST(Wheel, FiresNotBeforeItsTimeAndAtMostASlotLater) {
    Wheel wheel(1000);
    Alarm alarm;
    wheel.arm(alarm, 1100);
    wheel.advance(1099);
    EXPECT_EQ(alarm.fired, 0);
    wheel.advance(1100 + Wheel::kResolution);
    EXPECT_EQ(alarm.fired, 1);
    EXPECT_FALSE(alarm.armed());
    wheel.advance(200'000);
    EXPECT_EQ(alarm.fired, 1);
}

TEST(Wheel, ADeadlineInThePastFiresAtTheNextAdvance) {
    Wheel wheel(1000);
    Alarm alarm;
    wheel.arm(alarm, 3);
    wheel.advance(1000 + Wheel::kResolution);
    EXPECT_EQ(alarm.fired, 1);
}

TEST(Wheel, AnEntryFurtherAwayThanOneTurnOfTheWheelWaits) {
    Wheel wheel(0);
    Alarm alarm;
    const std::int64_t due = Wheel::kSlots * Wheel::kResolution * 3 + 17;
    wheel.arm(alarm, due);
    for (std::int64_t now = 0; now < due; now += 1000) {
        wheel.advance(now);
        ASSERT_EQ(alarm.fired, 0) << now;
    }
    wheel.advance(due + Wheel::kResolution);
    EXPECT_EQ(alarm.fired, 1);
}

TEST(Wheel, MovingAndCancellingLeaveNothingBehind) {
    Wheel wheel(0);
    Alarm moved, cancelled;
    wheel.arm(moved, 100);
    wheel.arm(cancelled, 100);
    wheel.arm(moved, 500);
    Wheel::cancel(cancelled);
    wheel.advance(400);
    EXPECT_EQ(moved.fired + cancelled.fired, 0);
    wheel.advance(600);
    EXPECT_EQ(moved.fired, 1);
    EXPECT_TRUE(wheel.empty());
    EXPECT_EQ(wheel.next(), -1);
}

TEST(Wheel, AnEntryMayDestroyOthersAndArmItselfAnewWhileFiring) {
    Wheel wheel(0);
    auto victim = std::make_unique<Alarm>();
    Alarm first, again;
    first.then = [&] { victim.reset(); };
    again.then = [&] {
        if (again.fired < 3) wheel.arm(again, again.due() + 50);
    };
    wheel.arm(first, 100);
    wheel.arm(*victim, 100);
    wheel.arm(again, 100);
    wheel.advance(110);
    EXPECT_EQ(first.fired, 1);
    EXPECT_EQ(victim, nullptr);
    EXPECT_EQ(again.fired, 1);
    wheel.advance(160);
    wheel.advance(210);
    EXPECT_EQ(again.fired, 3);
}

TEST(Wheel, EntriesMayOutliveTheWheel) {
    Alarm alarm, other;
    {
        Wheel wheel(0);
        wheel.arm(alarm, 100);
        wheel.arm(other, 100);
    }
    SUCCEED();  // their destructors unlink from each other only; ASAN would tell
}

TEST(Wheel, AgreesWithASortedListOverRandomOperations) {
    std::mt19937 random(7);
    Wheel wheel(0);
    std::vector<std::unique_ptr<Alarm>> alarms;
    std::vector<std::int64_t> due(200, -1);
    for (int i = 0; i < 200; ++i) {
        alarms.push_back(std::make_unique<Alarm>());
        alarms.back()->then = [&due, i] { due[static_cast<std::size_t>(i)] = -1; };
    }
    std::int64_t now = 0;
    for (int step = 0; step < 5000; ++step) {
        const auto pick = static_cast<std::size_t>(random() % 200);
        if (random() % 4 == 0) {
            Wheel::cancel(*alarms[pick]);
            due[pick] = -1;
        } else {
            due[pick] = now + static_cast<std::int64_t>(random() % 60'000);
            wheel.arm(*alarms[pick], due[pick]);
        }
        if (wheel.next() >= 0 && random() % 3 == 0) now = std::max(now, wheel.next());
        now += static_cast<std::int64_t>(random() % 300);
        wheel.advance(now);
        for (std::size_t i = 0; i < 200; ++i) {
            ASSERT_EQ(alarms[i]->armed(), due[i] >= 0) << "step " << step;
            if (due[i] < 0) continue;
            ASSERT_GT(due[i] + Wheel::kResolution, now) << "should have fired";
        }
    }
}

}  // namespace
}  // namespace bridge::loop
