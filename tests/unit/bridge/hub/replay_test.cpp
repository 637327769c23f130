// The ring of recent events and its index by room, beside a plain list.
#include "hub/replay.hpp"

#include <random>
#include <set>

#include <gmock/gmock.h>

#include "hub/room_list.hpp"

namespace bridge::hub {
namespace {

class ReplayModel : public testing::TestWithParam<unsigned> {};

TEST_P(ReplayModel, E2_FindsWhatAWalkOverAllWouldFind) {
    std::mt19937 random(GetParam());
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    Replay replay(20'000);  // a few dozen events
    std::vector<std::pair<std::uint64_t, std::set<std::string>>> all;
    std::uint64_t position = 0;
    for (int step = 0; step < 4000; ++step) {
        const std::size_t dice = below(100);
        if (dice < 70) {
            std::string rooms = "[";
            std::set<std::string> in;
            for (std::size_t n = 1 + below(3); n > 0; --n) {
                const std::string room = "room-" + std::to_string(below(12));
                if (!in.insert(room).second) continue;
                rooms += (rooms.size() > 1 ? ",\"" : "\"") + room + "\"";
            }
            rooms += "]";
            const std::string payload(below(400), 'x');
            Event event;
            position += 1 + below(2);
            event.position = Position{position};
            event.rooms = rooms;
            event.payload = payload;
            replay.remember(event, false);
            all.emplace_back(position, in);
        } else if (dice < 71) {
            replay.clear(Position{position});
        } else {
            const std::uint64_t floor = replay.floor().value;
            ASSERT_LE(floor, position);
            std::vector<Replay::Wish> wishes;
            std::set<std::string> names;
            while (names.size() < 1 + below(4)) names.insert("room-" + std::to_string(below(14)));
            for (const std::string &name : names) wishes.push_back({name, Position{floor + below(position - floor + 1)}});
            std::vector<const Replay::Entry *> found;
            replay.find(wishes, found);
            std::vector<std::uint64_t> got, expected;
            for (const Replay::Entry *entry : found) {
                bool wanted = false;
                each_room(entry->rooms(), [&](std::string_view room) {
                    for (const Replay::Wish &wish : wishes) wanted = wanted || (wish.room == room && entry->position > wish.after);
                    return true;
                });
                if (wanted) got.push_back(entry->position.value);
            }
            for (const auto &[at, in] : all) {
                bool wanted = false;
                for (const Replay::Wish &wish : wishes) wanted = wanted || (in.contains(std::string(wish.room)) && at > wish.after.value);
                if (wanted && at > floor) expected.push_back(at);
            }
            ASSERT_EQ(got, expected) << "step " << step;
            ASSERT_LE(replay.bytes(), 40'000U);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReplayModel, testing::Range(1U, 11U));

TEST(Replay, E2_ASearchTouchesItsOwnRoomsOnly) {
    Replay replay(16 << 20);
    for (std::uint64_t p = 1; p <= 20'000; ++p) {
        const std::string rooms = p % 1000 == 0 ? R"(["rare"])" : R"(["busy"])";
        Event event;
        event.position = Position{p};
        event.rooms = rooms;
        replay.remember(event, false);
    }
    const Replay::Wish wish{"rare", Position{5'000}};
    std::vector<const Replay::Entry *> found;
    replay.find({&wish, 1}, found);
    EXPECT_EQ(found.size(), 15U);  // not even looked at are the others
}

}  // namespace
}  // namespace bridge::hub
