// Concurrency, and a rate that holds wherever in its run the receiver saw a job. The receiver is played by a brute-force log.
#include "queue/limiter.hpp"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace pulse::queue {
namespace {

TEST(Limiter, WithoutLimitsThereIsAlwaysRoom) {
    Limiter limiter;
    for (int n = 0; n < 1000; ++n) limiter.started();
    EXPECT_GT(limiter.room(0), 1000000);
}

TEST(Limiter, ConcurrencyCountsWhatRuns) {
    Limiter limiter;
    limiter.configure(2, 0, 0);
    limiter.started();
    EXPECT_EQ(limiter.room(0), 1);
    limiter.started();
    EXPECT_EQ(limiter.room(0), 0);
    EXPECT_EQ(limiter.room_at(0), std::numeric_limits<std::int64_t>::max()) << "only an end makes room";
    limiter.ended(5);
    EXPECT_EQ(limiter.room(5), 1);
    limiter.never_started();
    EXPECT_EQ(limiter.room(5), 2);
}

TEST(Limiter, AJobOccupiesItsPlaceUntilAWindowAfterItsEnd) {
    Limiter limiter;
    limiter.configure(0, 1, 100);
    limiter.started();
    EXPECT_EQ(limiter.room(1000), 0) << "however long it runs";
    limiter.ended(1000);
    EXPECT_EQ(limiter.room(1100), 0) << "seen at 1000, another at 1100 would be in one closed window";
    EXPECT_EQ(limiter.room_at(1000), 1101);
    EXPECT_EQ(limiter.room(1101), 1);
    EXPECT_TRUE(limiter.is_idle(1101));
}

TEST(Limiter, ALowerRateWaitsForAsManyAsAreTooMany) {
    Limiter limiter;
    limiter.configure(0, 3, 100);
    limiter.seed({10, 20, 30});
    limiter.configure(0, 2, 100);
    EXPECT_EQ(limiter.room(40), 0);
    EXPECT_EQ(limiter.room_at(40), 121) << "the first two must have passed";
    EXPECT_EQ(limiter.room(121), 1);
}

// Jobs come at random, run for random times, and the receiver sees each at a random time of its run. Whatever window of the length
// of the rate is laid over what it saw, closed at both ends, no more than the rate are in it. And the limiter is not idle for nothing:
// with instant jobs it lets exactly the rate through.
TEST(Limiter, NoWindowAtTheReceiverHoldsMoreThanTheRate) {
    std::mt19937_64 random(20261121);
    for (int round = 0; round < 200; ++round) {
        const int rate = static_cast<int>(random() % 10) + 1;
        const std::int64_t per = static_cast<std::int64_t>(random() % 500) + 20;
        const int concurrency = random() % 3 == 0 ? static_cast<int>(random() % 4) + 1 : 0;
        const std::int64_t longest = random() % 4 == 0 ? 0 : static_cast<std::int64_t>(random() % (2 * static_cast<std::uint64_t>(per)));
        Limiter limiter;
        limiter.configure(concurrency, rate, per);
        std::vector<std::int64_t> running, seen;
        for (std::int64_t now = 0; now < 5000; ++now) {
            std::erase_if(running, [&](std::int64_t end) {
                if (end > now) return false;
                limiter.ended(now);
                return true;
            });
            int room = limiter.room(now);
            ASSERT_TRUE(concurrency == 0 || static_cast<int>(running.size()) <= concurrency);
            for (; room > 0 && random() % 8 != 0; --room) {
                const std::int64_t took = longest == 0 ? 0 : static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(longest));
                limiter.started();
                running.push_back(now + took);
                seen.push_back(now + (took == 0 ? 0 : static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(took + 1))));
                if (concurrency > 0 && static_cast<int>(running.size()) == concurrency) break;
            }
            // room_at never promises too early, nor too late.
            if (const std::int64_t next = limiter.room_at(now); next != std::numeric_limits<std::int64_t>::max() && next > now) {
                Limiter later = limiter;
                ASSERT_EQ(later.room(next - 1), 0);
                ASSERT_GT(later.room(next), 0);
            }
        }
        std::sort(seen.begin(), seen.end());
        for (std::size_t first = 0, last = 0; first < seen.size(); ++first) {
            while (last < seen.size() && seen[last] <= seen[first] + per) ++last;
            ASSERT_LE(last - first, static_cast<std::size_t>(rate)) << "round " << round << ", window from " << seen[first];
        }
        if (longest == 0 && concurrency == 0) {
            // As many as can be: the first `rate` at once, then `rate` more each window.
            ASSERT_GE(seen.size(), static_cast<std::size_t>(5000 / (per + 20)) * static_cast<std::size_t>(rate)) << "round " << round;
        }
    }
}

}  // namespace
}  // namespace pulse::queue
