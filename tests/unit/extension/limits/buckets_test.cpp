// Buckets by a clock of the test: how many pass in a window, when the next begins, and what happens when there is no room.
#include "limits/buckets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>

namespace pulse::limits {
namespace {

using Result = Taken::Result;

class Table {
public:
    explicit Table(std::uint32_t capacity) : memory_(new std::byte[Buckets::size(capacity)]) {
        buckets_ = Buckets::make(memory_.get(), capacity);
    }
    Taken take(const std::string &who, std::int64_t now, const Rate &rate, std::int64_t points = 1) {
        return buckets_->take(siphash({7, 7}, who), now, rate, points);
    }
    // Of `count` takes at one moment: how many pass?
    int passing(const std::string &who, std::int64_t now, const Rate &rate, int count) {
        int passed = 0;
        for (int n = 0; n < count; ++n) passed += take(who, now, rate).result == Result::kTaken ? 1 : 0;
        return passed;
    }
    std::uint32_t kept() const { return buckets_->kept(); }

private:
    std::unique_ptr<std::byte[]> memory_;  // exactly as much as it said: the sanitizers see what is beyond
    Buckets *buckets_;
};

constexpr Rate kRate{100, 60'000'000};

TEST(Buckets, M7ExactlyThePointsPassInAWindow) {
    Table table(16);
    EXPECT_EQ(table.passing("ann", 1000, kRate, 200), 100);
    EXPECT_EQ(table.passing("ann", 1000 + kRate.per - 1, kRate, 50), 0);
    EXPECT_EQ(table.passing("bob", 1000, kRate, 200), 100) << "another subject has its own";
}

TEST(Buckets, M7TheWindowBeginsWithTheFirstTakeAndEndsFull) {
    Table table(16);
    EXPECT_EQ(table.take("ann", 5'000'000, kRate).result, Result::kTaken);
    EXPECT_EQ(table.passing("ann", 64'999'999, kRate, 200), 99);
    const Taken over = table.take("ann", 64'999'999, kRate);
    EXPECT_EQ(over.result, Result::kOver);
    EXPECT_EQ(over.wait, 1);
    EXPECT_EQ(table.passing("ann", 65'000'000, kRate, 200), 100) << "the next window began at its end, not at a whole minute";
    EXPECT_EQ(table.take("ann", 65'000'000, kRate).wait, kRate.per);
}

TEST(Buckets, ARefusedTakeTakesNothingAndBeginsNothing) {
    Table table(16);
    EXPECT_EQ(table.take("ann", 0, kRate, 60).result, Result::kTaken);
    EXPECT_EQ(table.take("ann", 0, kRate, 41).result, Result::kOver);
    EXPECT_EQ(table.take("ann", 0, kRate, 40).result, Result::kTaken);
    EXPECT_EQ(table.take("bob", 0, kRate, 101).result, Result::kOver) << "more than a full bucket has never passes";
    EXPECT_EQ(table.kept(), 1U);
}

TEST(Buckets, AChangedRateCountsAtOnce) {
    Table table(16);
    EXPECT_EQ(table.passing("ann", 0, {10, 60'000'000}, 10), 10);
    EXPECT_EQ(table.passing("ann", 1, {12, 60'000'000}, 10), 2) << "two more points";
    EXPECT_EQ(table.passing("ann", 2, {5, 60'000'000}, 10), 0) << "fewer than were taken";
    EXPECT_EQ(table.take("ann", 3, {5, 60'000'000}).wait, 59'999'997);
    EXPECT_EQ(table.passing("ann", 1'000'000, {5, 1'000'000}, 10), 5) << "the window that began at 0 is a second long now";
}

TEST(Buckets, WhenThereIsNoRoomFullBucketsGoFirst) {
    Table table(3);
    EXPECT_EQ(table.take("long", 0, {1, 1000}).result, Result::kTaken);
    EXPECT_EQ(table.take("short", 0, {1, 10}).result, Result::kTaken);
    EXPECT_EQ(table.take("middle", 0, {1, 100}).result, Result::kTaken);
    const Taken refused = table.take("new", 5, {1, 1000});
    EXPECT_EQ(refused.result, Result::kNoRoom);
    EXPECT_EQ(refused.wait, 5) << "until the first of them is full";
    EXPECT_EQ(table.take("short", 5, {1, 10}).result, Result::kOver) << "who has a bucket goes on";
    EXPECT_EQ(table.take("new", 10, {1, 1000}).result, Result::kTaken);
    EXPECT_EQ(table.take("new", 11, {1, 1000}).result, Result::kOver);
    EXPECT_EQ(table.take("short", 11, {1, 10}).result, Result::kNoRoom);
    EXPECT_EQ(table.take("long", 11, {1, 1000}).result, Result::kOver) << "nobody's count was lost";
    EXPECT_EQ(table.take("short", 100, {1, 10}).result, Result::kTaken);
    EXPECT_EQ(table.kept(), 3U);
}

TEST(Buckets, AWindowThatWasShortenedMakesRoomInTime) {
    Table table(1);
    EXPECT_EQ(table.take("ann", 0, {2, 1000}).result, Result::kTaken);
    EXPECT_EQ(table.take("bob", 1, {2, 1000}).result, Result::kNoRoom);
    EXPECT_EQ(table.take("ann", 2, {2, 10}).result, Result::kTaken);
    EXPECT_EQ(table.take("bob", 9, {2, 10}).wait, 1);
    EXPECT_EQ(table.take("bob", 10, {2, 10}).result, Result::kTaken);
}

TEST(Buckets, AnyOrderOfTakesAgreesWithAModel) {
    struct Window {
        std::int64_t start = 0, used = 0;
    };
    std::mt19937 random(20261121);
    const auto below = [&](int bound) { return static_cast<int>(random() % static_cast<unsigned>(bound)); };
    for (int round = 0; round < 50; ++round) {
        Table table(64);
        std::map<std::string, Window> model;
        std::int64_t now = 0;
        for (int step = 0; step < 2000; ++step) {
            now += below(20);
            const std::string who = std::to_string(below(60));  // fits, so that only the windows decide
            const Rate rate{5 + below(3), 200 + 100 * below(2)};
            const int points = 1 + below(2);
            Window &window = model[who];
            if (window.used == 0 || now >= window.start + rate.per) window = {now, 0};
            const bool passes = window.used + points <= rate.points;
            if (passes) window.used += points;
            const Taken taken = table.take(who, now, rate, points);
            ASSERT_EQ(taken.result == Result::kTaken, passes) << "round " << round << " step " << step;
            if (!passes) {
                ASSERT_EQ(taken.wait, window.start + rate.per - now);
            }
        }
    }
}

TEST(Buckets, AFullTableKeepsEveryCountUnderRandomSubjects) {
    struct Window {
        std::int64_t start, used;
    };
    std::mt19937 random(7);
    Table table(32);
    const Rate rate{3, 500};
    std::map<std::string, Window> model;
    std::int64_t now = 0;
    int refused = 0;
    for (int step = 0; step < 100'000; ++step) {
        now += random() % 8;
        const std::string who = std::to_string(random() % 200);
        const auto known = model.find(who);
        const bool windowed = known != model.end() && now < known->second.start + rate.per;
        const Taken taken = table.take(who, now, rate);
        if (taken.result == Result::kNoRoom) {
            ++refused;
            ASSERT_FALSE(windowed) << "a bucket that is not full was dropped";
            const auto open = std::count_if(model.begin(), model.end(), [&](const auto &one) { return now < one.second.start + rate.per; });
            ASSERT_EQ(open, 32) << "there was room";
            ASSERT_GT(taken.wait, 0);
            continue;
        }
        if (!windowed) model[who] = {now, 0};
        Window &window = model[who];
        ASSERT_EQ(taken.result == Result::kTaken, window.used < rate.points);
        if (taken.result == Result::kTaken) ++window.used;
    }
    EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace pulse::limits
