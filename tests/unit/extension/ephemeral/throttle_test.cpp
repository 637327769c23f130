// First at once, then at most one an interval, the newest, and the last one always.
#include "ephemeral/throttle.hpp"

#include <map>
#include <memory>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse::ephemeral {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Offered = Throttles::Offered;

struct World {
    explicit World(Index entries = 8, Index size = 200)
        : ring_memory(new char[Ring::bytes(size)]), memory(new std::int64_t[Throttles::bytes(entries) / 8 + 1]), ring(ring_memory.get()),
          throttles(memory.get(), entries, ring), chunks(size) {
        ring.format(size);
        throttles.format();
    }
    Offered offer(std::uint64_t key, const std::string &text, std::int64_t now, std::int64_t interval = 100, Index queue = 0) {
        return throttles.offer(Key{key, key * 7}, queue, ring.make(text), now, interval);
    }
    std::vector<std::string> sent(Index queue = 0) {
        std::vector<std::string> all;
        std::int64_t at = 0;
        for (std::string text; ring.pop(queue, text, at); text.clear()) all.push_back(text);
        return all;
    }
    std::unique_ptr<char[]> ring_memory;
    std::unique_ptr<std::int64_t[]> memory;
    Ring ring;
    Throttles throttles;
    Index chunks;
};

TEST(Throttles, S3FirstAtOnceThenTheNewestOnceAnInterval) {
    World w;
    EXPECT_EQ(w.offer(1, "1", 1000), Offered::queued);
    EXPECT_THAT(w.sent(), ElementsAre("1"));
    EXPECT_EQ(w.throttles.next_due(), std::nullopt);
    EXPECT_EQ(w.offer(1, "2", 1010), Offered::waits);
    EXPECT_EQ(w.offer(1, "3", 1020), Offered::replaced);
    EXPECT_EQ(w.throttles.next_due(), 1100);
    EXPECT_EQ(w.throttles.release(1099), 0U);
    EXPECT_THAT(w.sent(), IsEmpty());
    EXPECT_EQ(w.throttles.release(1100), 1U);
    EXPECT_THAT(w.sent(), ElementsAre("3"));
    EXPECT_EQ(w.offer(1, "4", 1150), Offered::waits) << "an interval from the one before, not from the first";
    EXPECT_EQ(w.throttles.release(1200), 1U);
    EXPECT_THAT(w.sent(), ElementsAre("4"));
    EXPECT_EQ(w.throttles.release(1300), 0U);
    EXPECT_EQ(w.throttles.size(), 0U) << "a key without news for an interval is forgotten";
    EXPECT_EQ(w.offer(1, "5", 1301), Offered::queued);
    EXPECT_EQ(w.ring.queue(0).replaced, 1U);
}

TEST(Throttles, S3KeysAreApartAndSoAreDatabases) {
    World w;
    EXPECT_EQ(w.offer(1, "a", 0), Offered::queued);
    EXPECT_EQ(w.offer(2, "b", 0, 50), Offered::queued);
    w.sent();
    w.offer(1, "a2", 10);
    w.offer(2, "b2", 10, 50);
    w.offer(3, "c1", 10, 30, 5);
    w.offer(3, "c2", 11, 30, 5);
    EXPECT_EQ(w.throttles.next_due(), 40);
    EXPECT_EQ(w.throttles.release(60), (1U | 1U << 5));
    EXPECT_THAT(w.sent(), ElementsAre("b2"));
    EXPECT_THAT(w.sent(5), ElementsAre("c1", "c2"));
    EXPECT_EQ(w.throttles.release(100), 1U);
    EXPECT_THAT(w.sent(), ElementsAre("a2"));
}

TEST(Throttles, AShorterIntervalCountsAtOnce) {
    World w;
    w.offer(1, "1", 0, 1000);
    w.offer(1, "2", 10, 1000);
    EXPECT_EQ(w.throttles.next_due(), 1000);
    w.offer(1, "3", 20, 100);
    EXPECT_EQ(w.throttles.next_due(), 120);
}

TEST(Throttles, S3AFullTableSendsEarlyRatherThanLoses) {
    World w(4);
    for (std::uint64_t key = 1; key <= 4; ++key) {
        w.offer(key, "first " + std::to_string(key), static_cast<std::int64_t>(key));
        w.offer(key, "last " + std::to_string(key), static_cast<std::int64_t>(key));
    }
    w.sent();
    EXPECT_EQ(w.offer(5, "first 5", 50), Offered::queued);
    EXPECT_THAT(w.sent(), ElementsAre("last 1", "first 5"));
    EXPECT_EQ(w.throttles.size(), 4U);
    EXPECT_EQ(w.throttles.waiting(), 3U);
    EXPECT_EQ(w.throttles.take_early(), 1U) << "its dispatcher is to be woken";
    EXPECT_EQ(w.throttles.take_early(), 0U);
}

TEST(Throttles, S3WithoutMemoryTheNewestOfAKeyStillTakesTheOlderOnesPlace) {
    World w(8, 2);
    EXPECT_EQ(w.offer(1, "1", 0), Offered::queued);
    w.sent();
    EXPECT_EQ(w.offer(1, "2", 1), Offered::waits);
    EXPECT_EQ(w.offer(2, "a", 1), Offered::queued);
    w.sent();
    EXPECT_EQ(w.offer(2, "b", 2), Offered::waits);
    EXPECT_EQ(w.ring.make("3"), kNone) << "everything waits";
    EXPECT_FALSE(w.throttles.discard({9, 63}));
    EXPECT_TRUE(w.throttles.discard({1, 7}));
    EXPECT_FALSE(w.throttles.discard({1, 7}));
    EXPECT_EQ(w.throttles.waiting(), 1U);
    EXPECT_EQ(w.offer(1, "3", 3), Offered::waits);
    w.throttles.release(200);
    EXPECT_THAT(w.sent(), testing::UnorderedElementsAre("3", "b"));
}

TEST(Throttles, ForgettingADatabaseLeavesTheOthers) {
    World w(64, 400);
    for (std::uint64_t key = 1; key <= 60; ++key)
        for (int i = 0; i < 2; ++i) w.offer(key, "x", static_cast<std::int64_t>(key * 37 % 60), 1000, static_cast<Index>(key % 3));
    w.throttles.forget(1);
    EXPECT_EQ(w.throttles.size(), 40U);
    EXPECT_EQ(w.throttles.waiting(), 40U);
    w.throttles.release(100'000);
    EXPECT_EQ(w.sent(1).size(), 20U) << "only what went at once";
    EXPECT_EQ(w.sent(0).size(), 40U);
    EXPECT_EQ(w.sent(2).size(), 40U);
    w.throttles.release(1'000'000);
    EXPECT_EQ(w.throttles.size(), 0U);
    EXPECT_EQ(w.ring.free_chunks(), w.chunks);
}

// Whatever happens: at least an interval lies between two events of a key, the last one offered is the last one sent, and it is sent by
// the end of its interval.
TEST(Throttles, S3HoldsItsPromisesForRandomTimes) {
    std::mt19937 random(11);
    World w(32);
    struct Seen {
        int offered = 0, sent = 0;
        std::int64_t at = -1000, offered_at = 0;
    };
    std::map<std::uint64_t, Seen> seen;
    const auto drain = [&](std::int64_t now) {
        for (const std::string &text : w.sent()) {
            const std::uint64_t key = std::stoull(text);
            const int number = std::stoi(text.substr(text.find(':') + 1));
            Seen &one = seen[key];
            EXPECT_GE(now - one.at, 100);
            EXPECT_GT(number, one.sent);
            one.sent = number;
            one.at = now;
        }
    };
    std::int64_t now = 0;
    for (int step = 0; step < 20'000; ++step) {
        const std::int64_t until = now + static_cast<std::int64_t>(random() % 20);
        while (w.throttles.next_due() && *w.throttles.next_due() <= until) {
            now = std::max(now, *w.throttles.next_due());
            w.throttles.release(now);
            drain(now);
        }
        now = until;
        const std::uint64_t key = random() % 20;
        Seen &one = seen[key];
        one.offered_at = now;
        w.offer(key, std::to_string(key) + ":" + std::to_string(++one.offered), now);
        drain(now);
        for (const auto &[number, each] : seen) {
            if (each.sent < each.offered) {
                EXPECT_LE(now - each.offered_at, 100) << number;
            }
        }
    }
    w.throttles.release(now + 100);
    now += 100;
    drain(now);
    for (const auto &[key, one] : seen) EXPECT_EQ(one.sent, one.offered) << key;
}

}  // namespace
}  // namespace pulse::ephemeral
