// One in so many, the first among them.
#include "ephemeral/sampler.hpp"

#include <memory>

#include <gtest/gtest.h>

namespace pulse::ephemeral {
namespace {

struct World {
    explicit World(Index entries) : memory(new std::int64_t[Sampler::bytes(entries) / 8 + 1]), sampler(memory.get(), entries) {
        sampler.format();
    }
    bool take(std::uint64_t key, std::uint64_t every) { return sampler.take(Key{key, key + 1}, every); }
    std::unique_ptr<std::int64_t[]> memory;
    Sampler sampler;
};

TEST(Sampler, M3TakesTheFirstAndThenEveryTenth) {
    World w(4);
    for (int i = 0; i < 35; ++i) {
        EXPECT_EQ(w.take(1, 10), i % 10 == 0) << i;
        EXPECT_EQ(w.take(2, 3), i % 3 == 0) << i;
        EXPECT_TRUE(w.take(3, 1));
    }
}

TEST(Sampler, ForgetsTheKeyNotAskedForLongest) {
    World w(3);
    for (std::uint64_t key = 1; key <= 3; ++key) EXPECT_TRUE(w.take(key, 100));
    EXPECT_FALSE(w.take(1, 100));
    EXPECT_TRUE(w.take(4, 100)) << "makes key 2 be forgotten";
    EXPECT_FALSE(w.take(1, 100));
    EXPECT_FALSE(w.take(3, 100));
    EXPECT_TRUE(w.take(2, 100));
    EXPECT_TRUE(w.take(4, 100)) << "was the oldest then";
}

TEST(Sampler, ASingleKeyFits) {
    World w(1);
    EXPECT_TRUE(w.take(1, 2));
    EXPECT_FALSE(w.take(1, 2));
    EXPECT_TRUE(w.take(2, 2));
    EXPECT_TRUE(w.take(1, 2));
}

}  // namespace
}  // namespace pulse::ephemeral
