// Events on their way through memory that never grows: order, whose queue gives way, and that no chunk is lost.
#include "ephemeral/ring.hpp"

#include <deque>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace pulse::ephemeral {
namespace {

struct World {
    explicit World(Index size) : memory(new char[Ring::bytes(size)]), ring(memory.get()), chunks(size) { ring.format(size); }
    bool push(Index queue, const std::string &text, std::int64_t now = 1) {
        const Index record = ring.make(text);
        if (record == kNone) return false;
        ring.push(queue, record, now);
        return true;
    }
    std::string pop(Index queue) {
        std::string text;
        std::int64_t at = 0;
        return ring.pop(queue, text, at) ? text : "(none)";
    }
    std::unique_ptr<char[]> memory;
    Ring ring;
    Index chunks;
};

TEST(Ring, E3GivesBackWhatWasPushedInOrderAndWithItsTime) {
    World w(100);
    const std::string large(kMaxRecord, 'x');
    ASSERT_TRUE(w.push(3, "one", 10));
    ASSERT_TRUE(w.push(3, "", 11));
    ASSERT_TRUE(w.push(3, large, 12));
    ASSERT_TRUE(w.push(4, "other", 13));
    std::string out = "before ";
    std::int64_t at = 0;
    ASSERT_TRUE(w.ring.pop(3, out, at));
    EXPECT_EQ(out, "before one");
    EXPECT_EQ(at, 10);
    EXPECT_EQ(w.pop(3), "");
    EXPECT_EQ(w.pop(3), large);
    EXPECT_EQ(w.pop(3), "(none)");
    EXPECT_EQ(w.pop(4), "other");
    EXPECT_EQ(w.ring.free_chunks(), w.chunks);
}

TEST(Ring, E3WhenItIsFullTheOldestMakesRoomAndIsCounted) {
    World w(10);
    for (int i = 0; i < 25; ++i) ASSERT_TRUE(w.push(0, std::to_string(i)));
    EXPECT_EQ(w.ring.queue(0).dropped, 15U);
    EXPECT_EQ(w.ring.queue(0).records, 10U);
    for (int i = 15; i < 25; ++i) EXPECT_EQ(w.pop(0), std::to_string(i));
    EXPECT_EQ(w.pop(0), "(none)");
}

TEST(Ring, E3ADatabaseThatNobodyServesCostsTheOthersNothing) {
    World w(10);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(w.push(7, "dead"));
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(w.push(1, std::to_string(i)));
    EXPECT_EQ(w.ring.queue(1).dropped, 0U);
    EXPECT_EQ(w.ring.queue(7).dropped, 24U);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(w.pop(1), std::to_string(i));
}

TEST(Ring, TakesNothingThatCannotFit) {
    World w(10);
    EXPECT_FALSE(w.push(0, std::string(kMaxRecord + 1, 'x')));
    EXPECT_FALSE(w.push(0, std::string(5000, 'x'))) << "more than all its chunks";
    EXPECT_EQ(w.ring.free_chunks(), w.chunks);
    std::vector<Index> held;
    for (Index record = w.ring.make("held"); record != kNone; record = w.ring.make("held")) held.push_back(record);
    EXPECT_EQ(held.size(), 10U);
    EXPECT_FALSE(w.push(0, "no room")) << "nothing is queued that could give way";
    w.ring.release(held.back());
    EXPECT_TRUE(w.push(0, "room"));
}

TEST(Ring, ClearingAQueueGivesEverythingBack) {
    World w(10);
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(w.push(2, std::string(300, 'x')));
    w.ring.queue(2).database = 5;
    w.ring.clear(2);
    EXPECT_EQ(w.ring.free_chunks(), w.chunks);
    EXPECT_EQ(w.ring.queue(2).database, 0U);
    EXPECT_EQ(w.ring.queue(2).dropped, 0U);
    EXPECT_EQ(w.pop(2), "(none)");
}

TEST(Ring, BehavesAsQueuesInAModel) {
    std::mt19937 random(5);
    World w(60);
    std::vector<std::deque<std::string>> model(4);
    const auto chunks_of = [](const std::string &text) { return text.empty() ? 1U : static_cast<unsigned>((text.size() + 231) / 232); };
    const auto used = [&](std::size_t queue) {
        unsigned sum = 0;
        for (const std::string &text : model[queue]) sum += chunks_of(text);
        return sum;
    };
    for (int step = 0; step < 20'000; ++step) {
        const auto queue = static_cast<Index>(random() % 4);
        if (random() % 3 != 0) {
            const std::string text(random() % 1000, static_cast<char>('a' + step % 26));
            ASSERT_TRUE(w.push(queue, text));
            while (used(0) + used(1) + used(2) + used(3) + chunks_of(text) > w.chunks) {
                std::size_t longest = 0;
                for (std::size_t i = 1; i < 4; ++i)
                    if (used(i) > used(longest)) longest = i;
                model[longest].pop_front();
            }
            model[queue].push_back(text);
        } else if (model[queue].empty()) {
            ASSERT_EQ(w.pop(queue), "(none)");
        } else {
            ASSERT_EQ(w.pop(queue), model[queue].front());
            model[queue].pop_front();
        }
        ASSERT_EQ(w.ring.free_chunks(), w.chunks - used(0) - used(1) - used(2) - used(3));
    }
}

}  // namespace
}  // namespace pulse::ephemeral
