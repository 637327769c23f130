// Marks, the order of lanes, and that none starves.
#include "queue/lanes.hpp"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace pulse::queue {
namespace {

const auto any = [](const LaneName &, const Lanes::Lane &) { return true; };

struct World {
    Lanes lanes;
    // The queue of the lane picked in a pass of its own; "" when none is due.
    std::string pick(std::int64_t now) {
        lanes.begin_pass();
        const Lanes::Entry *entry = lanes.pick(now, any);
        return entry == nullptr ? "" : entry->first.queue;
    }
};

TEST(Lanes, ALaneIsDueFromItsMarkOn) {
    World w;
    w.lanes.told("q", 0, Class::kSql, {100, 7});
    EXPECT_EQ(w.pick(99), "");
    EXPECT_EQ(w.lanes.next_due(any), 100);
    EXPECT_EQ(w.pick(100), "q");
}

TEST(Lanes, NewsLowerAMarkAndNeverRaiseIt) {
    World w;
    w.lanes.told("q", 0, Class::kSql, {100, 7});
    w.lanes.told("q", 0, Class::kSql, {200, 1});
    EXPECT_EQ(w.lanes.next_due(any), 100);
    w.lanes.told("q", 0, Class::kSql, {50, 9});
    EXPECT_EQ(w.lanes.next_due(any), 50);
    w.lanes.begin_pass();
    EXPECT_EQ(w.lanes.pick(50, any)->second.mark, (Place{50, 9}));
}

TEST(Lanes, AnEmptyLaneIsForgotten) {
    World w;
    w.lanes.told("q", 0, Class::kSql, {1, 1});
    w.lanes.advance({"q", 0, Class::kSql}, kNothing);
    EXPECT_EQ(w.lanes.size(), 0U);
    EXPECT_EQ(w.lanes.next_due(any), kNever);
    w.lanes.advance({"other", 0, Class::kSql}, {3, 3});
    EXPECT_EQ(w.lanes.size(), 0U) << "and what is not there is not made";
}

TEST(Lanes, WhatIsForNeverKeepsNoLane) {
    World w;
    w.lanes.told("q", 0, Class::kSql, {kNever, 7});
    EXPECT_EQ(w.lanes.size(), 0U);
    w.lanes.told("q", 0, Class::kSql, {1, 1});
    w.lanes.advance({"q", 0, Class::kSql}, {kNever, 7});
    EXPECT_EQ(w.lanes.size(), 0U);
}

TEST(Lanes, AClockThatIsSetBackPutsNothingOff) {
    World w;
    w.lanes.told("q", 0, Class::kSql, {1, 1});
    w.lanes.put_off({"q", 0, Class::kSql}, 5000);
    EXPECT_EQ(w.pick(1000), "");
    w.lanes.forget_pauses();
    EXPECT_EQ(w.pick(1000), "q");
}

TEST(Lanes, LookingEverywhereGoesBackToTheBeginningOfEveryClass) {
    World w;
    w.lanes.told("q", 3, Class::kSql, {500, 1});
    w.lanes.look_everywhere("q", 3);
    EXPECT_EQ(w.lanes.size(), 3U);
    std::set<Class> classes;
    w.lanes.begin_pass();
    while (const Lanes::Entry *entry = w.lanes.pick(0, any)) {
        EXPECT_EQ(entry->second.mark, kFirst);
        classes.insert(entry->first.klass);
    }
    EXPECT_EQ(classes.size(), 3U);
}

TEST(Lanes, SmallerPriorityFirstThenTheLongerWait) {
    World w;
    w.lanes.told("late", 0, Class::kSql, {20, 1});
    w.lanes.told("early", 0, Class::kSql, {10, 2});
    w.lanes.told("urgent", -1, Class::kSql, {30, 3});
    w.lanes.begin_pass();
    std::vector<std::string> order;
    while (const Lanes::Entry *entry = w.lanes.pick(100, any)) order.push_back(entry->first.queue);
    EXPECT_EQ(order, (std::vector<std::string>{"urgent", "early", "late"}));
}

TEST(Lanes, EveryEighthPickIsTheLongestWaitWhateverItsPriority) {
    World w;
    constexpr std::int64_t second = 1000 * 1000;
    w.lanes.told("poor", 9, Class::kSql, {second, 1});
    const auto turns = [&](std::int64_t now) {
        int count = 0;
        for (int n = 0; n < 80; ++n) {
            w.lanes.told("rich", 0, Class::kSql, {now - n, n});
            count += w.pick(now) == "poor" ? 1 : 0;
        }
        return count;
    };
    EXPECT_EQ(turns(2 * second), 0) << "it has not waited for long";
    EXPECT_EQ(turns(2 * second + 1), 10);
}

TEST(Lanes, WhatIsClosedOrPutOffIsPassedBy) {
    World w;
    w.lanes.told("shut", 0, Class::kSql, {1, 1});
    w.lanes.told("q", 5, Class::kSql, {1, 1});
    w.lanes.begin_pass();
    const auto open = [](const LaneName &name, const Lanes::Lane &) { return name.queue != "shut"; };
    EXPECT_EQ(w.lanes.pick(10, open)->first.queue, "q");
    w.lanes.put_off({"shut", 0, Class::kSql}, 50);
    EXPECT_EQ(w.pick(10), "q");
    EXPECT_EQ(w.lanes.next_due([](const LaneName &name, const Lanes::Lane &) { return name.queue == "shut"; }), 50);
    EXPECT_EQ(w.pick(50), "shut");
}

TEST(Lanes, SaysWhetherOneWaitsForAnIdleWorker) {
    World w;
    w.lanes.told("q", 0, Class::kSql, {1, 1});
    EXPECT_FALSE(w.lanes.any_waits_for_idle());
    w.lanes.wait_for_idle({"q", 0, Class::kSql}, true);
    EXPECT_TRUE(w.lanes.any_waits_for_idle());
    w.lanes.advance({"q", 0, Class::kSql}, kNothing);
    EXPECT_FALSE(w.lanes.any_waits_for_idle());
}

// A table with marks beside one that is searched from the beginning: they claim the same jobs in the same order, and the lane with
// marks never looks at a place twice, but for what was told anew.
TEST(Lanes, ClaimsWhatASearchFromTheBeginningWould) {
    std::uint64_t state = 7;
    const auto random = [&](std::uint64_t most) { return (state = state * 6364136223846793005ULL + 1442695040888963407ULL) >> 33 % most; };
    World w;
    std::set<Place> waiting;
    std::int64_t id = 0;
    for (std::int64_t now = 0; now < 3000; ++now) {
        for (std::uint64_t n = random(64) % 3; n > 0; --n) {
            const Place place{now + static_cast<std::int64_t>(random(64) % 20) - 5, ++id};
            waiting.insert(place);
            w.lanes.told("q", 0, Class::kSql, place);
        }
        w.lanes.begin_pass();
        Lanes::Entry *entry = w.lanes.pick(now, any);
        const bool due = !waiting.empty() && waiting.begin()->run_at <= now;
        ASSERT_TRUE(!due || entry != nullptr);
        if (entry == nullptr) continue;
        const auto first = waiting.lower_bound(entry->second.mark);
        ASSERT_EQ(first, waiting.begin()) << "nothing waits before the mark";
        auto next = first;
        for (std::uint64_t room = random(64) % 4; next != waiting.end() && next->run_at <= now && room > 0; --room)
            next = waiting.erase(next);
        w.lanes.advance({"q", 0, Class::kSql}, next == waiting.end() ? kNothing : *next);
    }
}

}  // namespace
}  // namespace pulse::queue
