// The two containers that keep 10,000 idle clients small, each beside its std counterpart.
#include "hub/index_table.hpp"

#include <map>
#include <random>
#include <vector>

#include <gmock/gmock.h>

#include "hub/members.hpp"

namespace bridge::hub {
namespace {

// Few hashes, so that runs are long, wrap around and are erased in the middle.
TEST(IndexTable, AgreesWithAMapUnderCollisions) {
    for (unsigned seed = 1; seed <= 10; ++seed) {
        std::mt19937 random(seed);
        const std::uint32_t hashes = 1U << (seed % 5 * 3);
        IndexTable table;
        std::map<std::uint32_t, std::uint32_t> model;  // index → hash
        for (int step = 0; step < 20'000; ++step) {
            const std::uint32_t index = static_cast<std::uint32_t>(random() % 300);
            const std::uint32_t hash = static_cast<std::uint32_t>(random() % hashes) * 0x10001U - 1;
            const auto known = model.find(index);
            if (known == model.end()) {
                table.insert(hash, index);
                model.emplace(index, hash);
            } else if (random() % 2) {
                table.erase(known->second, index);
                model.erase(known);
            } else {
                ASSERT_EQ(table.find(known->second, [&](std::uint32_t i) { return i == index; }), index);
            }
            ASSERT_EQ(table.size(), model.size());
        }
        for (std::uint32_t index = 0; index < 300; ++index) {
            const auto known = model.find(index);
            const std::uint32_t hash = known == model.end() ? 5 : known->second;
            const std::uint32_t found = table.find(hash, [&](std::uint32_t i) { return i == index; });
            ASSERT_EQ(found, known == model.end() ? IndexTable::kNone : index);
        }
        while (!model.empty()) {
            table.erase(model.begin()->second, model.begin()->first);
            model.erase(model.begin());
        }
        EXPECT_EQ(table.size(), 0U);
    }
}

TEST(IndexTable, GrowsAndShrinksAndErasesOnlyWhatIsThere) {
    IndexTable table;
    table.erase(1, 1);
    for (std::uint32_t i = 0; i < 100'000; ++i) table.insert(i * 2654435761U, i);
    table.erase(7 * 2654435761U, 8);
    EXPECT_EQ(table.size(), 100'000U);
    for (std::uint32_t i = 0; i < 99'990; ++i) table.erase(i * 2654435761U, i);
    EXPECT_EQ(table.size(), 10U);
    for (std::uint32_t i = 99'990; i < 100'000; ++i) EXPECT_EQ(table.find(i * 2654435761U, [i](std::uint32_t j) { return i == j; }), i);
}

TEST(Members, AgreeWithAVectorWhileGrowingShrinkingAndMoving) {
    std::mt19937 random(7);
    Members members;
    std::vector<std::uint32_t> model;
    std::uint32_t next = 0;
    for (int phase = 0; phase < 12; ++phase) {
        const unsigned bias = phase % 2 ? 30 : 70;  // grows to hundreds, then shrinks to none
        for (int step = 0; step < 2000; ++step) {
            if (random() % 100 < bias) {
                members.push_back({next, next + 1});
                model.push_back(next++);
            } else if (!model.empty()) {
                members.pop_back();
                model.pop_back();
            }
            if (random() % 50 == 0) {
                Members moved(std::move(members));
                members = std::move(moved);
            }
            ASSERT_EQ(members.size(), model.size());
            if (!model.empty()) {
                const auto at = static_cast<std::uint32_t>(random() % model.size());
                ASSERT_EQ(members[at].session, model[at]);
                ASSERT_EQ(members.span()[at].place, model[at] + 1);
            }
        }
    }
    EXPECT_EQ(sizeof(Members), 16U);
}

}  // namespace
}  // namespace bridge::hub
