#include "dispatch/snapshot.hpp"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse::dispatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TxSnapshot, IsPostgresText) {
    const TxSnapshot snapshot{10, 20, {10, 14, 15}};
    EXPECT_EQ(snapshot.text(), "10:20:10,14,15");
    EXPECT_EQ(TxSnapshot::parse("10:20:10,14,15"), snapshot);
    EXPECT_EQ(TxSnapshot::parse("7:7:"), (TxSnapshot{7, 7, {}}));
    EXPECT_EQ(TxSnapshot::parse("18446744073709551614:18446744073709551615:18446744073709551614")->xip.size(), 1u);
}

TEST(TxSnapshot, RefusesWhatIsNone) {
    for (const char *text : {"", ":", "1", "1:2", "1:2:x", "2:1:", "1:5:3,", "1:5:,3", "1:5:3,2", "1:5:3,3", "1:5:5", "2:5:1", "1:5:3 ",
                             " 1:5:3", "-1:5:", "1:5:3:4", "1:99999999999999999999:"})
        EXPECT_EQ(TxSnapshot::parse(text), std::nullopt) << text;
}

TEST(EndedBetween, ListsWhatRanBeforeAndEndedSince) {
    const Ended ended = ended_between({10, 20, {10, 12, 19}}, {12, 25, {12, 21, 24}});
    EXPECT_THAT(ended.listed, ElementsAre(10, 19));
    EXPECT_EQ(ended.from, 20u);
    EXPECT_EQ(ended.to, 25u);
    EXPECT_THAT(ended.still_running, ElementsAre(21, 24));
    EXPECT_FALSE(ended.empty());
}

TEST(EndedBetween, IsEmptyWhenNothingEnded) {
    const TxSnapshot same{10, 20, {10, 12}};
    EXPECT_TRUE(ended_between(same, same).empty());
    EXPECT_TRUE(ended_between({7, 7, {}}, {7, 7, {}}).empty());
}

TEST(EndedBetween, TheFirstSnapshotTakesEverythingFromItsTransactionOn) {
    const Ended ended = ended_between({7, 7, {}}, {9, 9, {}});
    EXPECT_THAT(ended.listed, IsEmpty());
    EXPECT_EQ(ended.from, 7u);
    EXPECT_EQ(ended.to, 9u);
}

// Every transaction belongs to exactly one of a chain of ticks, whatever the order in which they end.
TEST(EndedBetween, EachTransactionEndsOnce) {
    std::uint64_t random = 88172645463325252u;
    const auto next = [&](std::uint64_t below) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        return random % below;
    };
    std::vector<bool> over(1000, false);
    std::vector<int> seen(1000, 0);
    std::uint64_t started = 0;
    TxSnapshot before{0, 0, {}};
    while (started < 1000 || !before.xip.empty()) {
        started = std::min<std::uint64_t>(1000, started + next(5));
        for (int i = 0; i < 5 && started > 0; ++i) over[next(started)] = true;
        if (started == 1000) over.assign(1000, true);
        TxSnapshot upto{started, started, {}};
        for (std::uint64_t xid = 0; xid < started; ++xid)
            if (!over[xid]) upto.xip.push_back(xid);
        if (!upto.xip.empty()) upto.xmin = upto.xip.front();
        const Ended ended = ended_between(before, upto);
        for (std::uint64_t xid : ended.listed) ++seen[xid];
        for (std::uint64_t xid = ended.from; xid < ended.to; ++xid)
            if (!std::binary_search(ended.still_running.begin(), ended.still_running.end(), xid)) ++seen[xid];
        before = upto;
    }
    EXPECT_THAT(seen, testing::Each(1));
}

}  // namespace
}  // namespace pulse::dispatch
