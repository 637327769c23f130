// Joins against a stream that goes on: what went by since the decision is replayed, nothing comes twice, nothing older comes at all.
#include <gmock/gmock.h>

#include "fakes.hpp"

namespace bridge::hub {
namespace {

using test::Client;
using test::World;
using testing::UnorderedElementsAre;

TEST(Join, ReplaysWhatWentBySinceTheDecision) {
    World world;
    Client c = world.client();
    world.deliver(R"(["a"])", "before");     // 1
    world.deliver(R"(["a"])", "between");    // 2
    world.deliver(R"(["b"])", "elsewhere");  // 3
    world.deliver(R"(["a"])", "between");    // 4
    EXPECT_EQ(world.hub.join(c.session, "a", Position{1}), Join::joined);
    world.deliver(R"(["a"])", "after");
    EXPECT_EQ(world.flushed(c), "<between 1><between 1><after 1>");
}

TEST(Join, OfSeveralRoomsReplaysEachEventOnceInOrder) {
    World world;
    Client c = world.client(Protocol::native);
    world.deliver(R"(["b"])", "one");
    world.deliver(R"(["a","b"])", "two");
    world.deliver(R"(["a"])", "three");
    const std::vector<std::string_view> rooms{"a", "b", "a"};
    EXPECT_EQ(world.hub.join(c.session, rooms, Position{0}), Join::joined);
    EXPECT_EQ(world.flushed(c), "<one 1 in b><two 1 in a><three 1 in a>");
    EXPECT_THAT(world.hub.rooms_of(c.session), UnorderedElementsAre("a", "b"));
}

TEST(Join, DoesNotRepeatWhatCameThroughAnotherRoom) {
    World world;
    Client c = world.client();
    world.deliver(R"(["a","b"])", "old");  // 1: before it was in a
    world.hub.join(c.session, "a", Position{1});
    world.deliver(R"(["a","b"])", "live");  // 2
    world.deliver(R"(["b"])", "only b");    // 3
    EXPECT_EQ(world.flushed(c), "<live 1>");
    EXPECT_EQ(world.hub.join(c.session, "b", Position{0}), Join::joined);
    EXPECT_EQ(world.flushed(c), "<old 1><only b 1>");
}

TEST(Join, HonoursTheExceptedSessionInTheReplayToo) {
    World world;
    Client c = world.client();
    world.deliver(R"(["a"])", "mine", "1", R"({"exceptSession":")" + std::string(c.key.view()) + R"("})");
    world.deliver(R"(["a"])", "theirs");
    world.hub.join(c.session, "a", Position{0});
    EXPECT_EQ(world.flushed(c), "<theirs 1>");
}

TEST(Join, SaysThatItIsInBeforeWhatAFirstJoinMissed) {
    World world;
    Client c = world.client();
    world.deliver(R"(["a"])", "x");
    world.hub.join(c.session, "a", Position{0}, make_frame("<in>"));
    EXPECT_EQ(world.flushed(c), "<in><x 1>");
}

TEST(Join, E2_ReplaysToALiveSessionUnderItsOwnCursorAndThenSaysThatItIsIn) {
    World world;
    world.encoder.with_cursor = true;
    Client c = world.client();
    world.hub.join(c.session, "a", Position{0});
    world.deliver(R"(["b"])", "missed");
    world.deliver(R"(["a"])", "seen");
    world.hub.join(c.session, "b", Position{0}, make_frame("<in>"));
    world.deliver(R"(["b"])", "live");
    EXPECT_EQ(world.flushed(c), "<seen 1 @00000000000000e1:2><missed 1 @00000000000000e1:2><in><live 1 @00000000000000e1:3>");
}

TEST(Join, E2_OfRoomsWithDifferentPositionsReplaysEachFromItsOwn) {
    World world;
    Client c = world.client();
    for (const char *room : {"a", "b", "a", "b", "a"}) world.deliver(R"([")" + std::string(room) + R"("])", room);
    const std::vector<RoomSince> rooms{{"a", Position{1}}, {"b", Position{2}}, {"c", Position{9}}};
    EXPECT_EQ(world.hub.join(c.session, rooms), Join::joined);
    EXPECT_EQ(world.flushed(c), "<a 1><b 1><a 1>");
}

TEST(Join, E2_AStormOnTheRingEncodesEachEventOnceForAll) {
    World world;
    for (int i = 0; i < 20'000; ++i) world.deliver(i % 200 == 0 ? R"(["all"])" : R"(["elsewhere"])", "e");
    std::vector<Client> clients;
    for (int i = 0; i < 10'000; ++i) {
        clients.push_back(world.client());
        ASSERT_EQ(world.hub.join(clients.back().session, "all", Position{0}), Join::joined);
        if (i % 100 == 0) world.hub.flush();
    }
    world.hub.flush();
    EXPECT_EQ(world.encoder.encoded, 100);
    const std::string got = clients.back().sink->all();
    EXPECT_EQ(std::count(got.begin(), got.end(), '<'), 100);
    EXPECT_EQ(clients.front().sink->all(), got);
}

TEST(Join, IsIdempotent) {
    World world;
    Client c = world.client();
    world.deliver(R"(["a"])", "x");
    EXPECT_EQ(world.hub.join(c.session, "a", Position{0}), Join::joined);
    EXPECT_EQ(world.hub.join(c.session, "a", Position{0}), Join::already);
    EXPECT_EQ(world.flushed(c), "<x 1>");
    EXPECT_EQ(world.hub.members("a"), 1U);
    EXPECT_TRUE(world.hub.leave(c.session, "a"));
    EXPECT_FALSE(world.hub.leave(c.session, "a"));
    EXPECT_EQ(world.hub.rooms(), 0U);
}

TEST(Join, DecidedAheadOfTheStreamTakesEffectAtItsPosition) {
    World world;
    Client ahead = world.client(), both = world.client();
    world.hub.join(both.session, "b", Position{0});
    world.hub.join(ahead.session, "a", Position{2});  // the database is at 2, this bridge at 0
    world.hub.join(both.session, "a", Position{2});
    world.deliver(R"(["a"])", "one");
    world.deliver(R"(["a","b"])", "two");
    world.deliver(R"(["a"])", "three");
    EXPECT_EQ(world.flushed(ahead), "<three 1>");
    EXPECT_EQ(world.flushed(both), "<two 1><three 1>");
}

TEST(Join, IsTooOldWhenTheRingDoesNotReachBack) {
    HubOptions options;
    options.replay_buffer_bytes = 2000;
    World world(options);
    Client c = world.client();
    for (int i = 0; i < 100; ++i) world.deliver(R"(["a"])", "x", "\"0123456789012345678901234567890123456789\"");
    EXPECT_LE(world.hub.stats().replay_bytes, 2000U);
    EXPECT_EQ(world.hub.join(c.session, "a", Position{1}), Join::too_old);
    EXPECT_FALSE(world.hub.in_room(c.session, "a"));
    EXPECT_EQ(world.hub.join(c.session, "a", Position{99}), Join::joined);
    EXPECT_EQ(world.hub.join(c.session, "b", Position{100}), Join::joined);
}

TEST(Join, IsTooOldWhenAnEventInBetweenIsOnlyKnownByReference) {
    World world;
    Client c = world.client();
    Event event;
    event.position = Position{1};
    event.rooms = R"(["a"])";
    event.name = "\"big\"";
    event.headers = "{}";
    world.hub.pass_by(event);
    world.hub.advance(Position{1});
    EXPECT_EQ(world.hub.join(c.session, "a", Position{0}), Join::too_old);
    EXPECT_EQ(world.hub.join(c.session, "b", Position{0}), Join::joined);
    EXPECT_EQ(world.hub.join(c.session, "a", Position{1}), Join::joined);
}

TEST(Join, AfterACutTheRingStartsAnew) {
    World world;
    Client c = world.client();
    world.deliver(R"(["a"])", "x");
    world.hub.advance(Position{50});
    world.hub.start_anew();
    EXPECT_EQ(world.hub.join(c.session, "a", Position{0}), Join::too_old);
    EXPECT_EQ(world.hub.join(c.session, "a", Position{50}), Join::joined);
    EXPECT_EQ(world.flushed(c), "");
}

TEST(Join, IsBoundedInRoomsForASession) {
    HubOptions options;
    options.max_rooms_per_session = 3;
    World world(options);
    Client c = world.client();
    const std::vector<std::string_view> four{"a", "b", "c", "d"};
    EXPECT_EQ(world.hub.join(c.session, four, Position{0}), Join::too_many);
    EXPECT_EQ(world.hub.rooms(), 0U);
    EXPECT_EQ(world.hub.join(c.session, std::span(four).first(3), Position{0}), Join::joined);
    EXPECT_EQ(world.hub.join(c.session, "d", Position{0}), Join::too_many);
    EXPECT_EQ(world.hub.join(c.session, "a", Position{0}), Join::already);
}

TEST(AnybodyIn, LooksWithoutMakingRooms) {
    World world;
    Client c = world.client();
    world.hub.join(c.session, "a", Position{0});
    EXPECT_TRUE(world.hub.anybody_in(R"(["x","a"])"));
    EXPECT_FALSE(world.hub.anybody_in(R"(["x","y"])"));
    EXPECT_TRUE(world.hub.anybody_in("malformed"));  // then better read it
    EXPECT_EQ(world.hub.rooms(), 1U);
}

}  // namespace
}  // namespace bridge::hub
