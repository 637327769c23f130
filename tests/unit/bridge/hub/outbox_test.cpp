// Slow sockets: what waits, in which order it leaves, and when the client is told to come back.
#include "hub/outbox.hpp"

#include <gmock/gmock.h>

#include "fakes.hpp"

namespace bridge::hub {
namespace {

using test::Client;
using test::World;
using testing::ElementsAre;
using testing::IsEmpty;

HubOptions limit(std::size_t bytes) {
    HubOptions options;
    options.max_queue_bytes = bytes;
    return options;
}

TEST(Outbox, KeepsOrderWhenTheSocketIsChoked) {
    World world;
    Client c = world.client();
    world.hub.send(c.session, make_frame("1"));
    world.hub.flush();
    c.sink->choked = true;
    world.hub.send(c.session, make_frame("2"));
    world.hub.send(c.session, make_frame("3"));
    world.hub.flush();
    EXPECT_EQ(c.sink->writable_requests, 1);
    c.sink->choked = false;
    world.hub.send(c.session, make_frame("4"));  // may not overtake
    world.hub.flush();
    EXPECT_THAT(c.sink->writes, ElementsAre("1"));
    EXPECT_EQ(world.hub.stats().queued_bytes, 3U);
    world.hub.writable(c.connection);
    EXPECT_THAT(c.sink->writes, ElementsAre("1", "234"));
    EXPECT_EQ(world.hub.stats().queued_bytes, 0U);
    world.hub.send(c.session, make_frame("5"));
    world.hub.flush();
    EXPECT_THAT(c.sink->writes, ElementsAre("1", "234", "5"));
}

TEST(Outbox, WhatIsSentInTheTurnOfAWritableComesAfterWhatWaited) {
    World world;
    Client c = world.client();
    c.sink->choked = true;
    world.hub.send(c.session, make_frame("1"));
    world.hub.flush();
    world.hub.send(c.session, make_frame("2"));
    c.sink->choked = false;
    world.hub.writable(c.connection);
    EXPECT_EQ(c.sink->all(), "1");
    world.hub.flush();
    EXPECT_EQ(c.sink->all(), "12");
}

TEST(Outbox, DrainsInBatchesAskingAgainAfterEach) {
    World world;
    Client c = world.client();
    c.sink->choked = true;
    std::string expected;
    for (int i = 0; i < 10; ++i) {
        const std::string frame(20'000, static_cast<char>('a' + i));
        expected += frame;
        world.hub.send(c.session, make_frame(frame));
    }
    world.hub.send(c.session, make_frame(std::string(100'000, 'Z')));
    expected += std::string(100'000, 'Z');
    world.hub.flush();
    c.sink->choked = false;
    int turns = 0;
    for (int requests = 0; c.sink->writable_requests > requests; ++turns) {
        requests = c.sink->writable_requests;
        world.hub.writable(c.connection);
    }
    EXPECT_EQ(turns, 5);  // 3 + 3 + 3 + 1 frames, then the big one alone
    for (const std::string &bytes : c.sink->writes) EXPECT_LE(bytes.size(), 100'000U);
    EXPECT_EQ(c.sink->all(), expected);
    EXPECT_EQ(world.hub.stats().queued_bytes, 0U);
}

TEST(Outbox, AFullQueueEndsTheConnectionWithComeBackAtTheEndOfTheTurn) {
    World world(limit(10));
    Client slow = world.client(), good = world.client();
    world.hub.join(slow.session, "a", Position{0});
    world.hub.join(good.session, "a", Position{0});
    slow.sink->choked = true;
    world.deliver(R"(["a"])", "x");  // 5 bytes
    world.hub.flush();
    world.deliver(R"(["a"])", "y");
    world.hub.flush();
    EXPECT_THAT(slow.sink->closes, IsEmpty());  // exactly at the limit
    world.deliver(R"(["a"])", "z");
    EXPECT_THAT(slow.sink->closes, IsEmpty());
    world.hub.flush();
    EXPECT_THAT(slow.sink->closes, ElementsAre(Errc::slow_client));
    EXPECT_TRUE(info(Errc::slow_client).reconnect);
    world.deliver(R"(["a"])", "w");
    world.hub.flush();
    EXPECT_EQ(world.hub.stats().queued_bytes, 15U);  // nothing more was taken
    EXPECT_EQ(good.sink->all(), "<x 1><y 1><z 1><w 1>");
    EXPECT_EQ(world.metrics.slow_consumers().Value(), 1);
    world.hub.closed(slow.connection);
    EXPECT_EQ(world.hub.stats().queued_bytes, 0U);
    EXPECT_THAT(slow.sink->closes, ElementsAre(Errc::slow_client));
}

TEST(Outbox, ADeadSocketIsNotWrittenAgainAndNotTornDownInTheLoop) {
    World world;
    Client dead = world.client(), good = world.client();
    world.hub.join(dead.session, "a", Position{0});
    world.hub.join(good.session, "a", Position{0});
    dead.sink->broken = true;
    world.deliver(R"(["a"])", "x");
    world.hub.flush();
    dead.sink->broken = false;
    world.deliver(R"(["a"])", "y");
    world.hub.flush();
    EXPECT_THAT(dead.sink->writes, IsEmpty());
    EXPECT_EQ(good.sink->all(), "<x 1><y 1>");
    EXPECT_TRUE(world.hub.find(dead.session));
    world.hub.closed(dead.connection);
    EXPECT_EQ(world.hub.sessions(), 1U);
}

TEST(Outbox, ADeadSocketFoundWhileDrainingGivesItsBytesBack) {
    World world;
    Client c = world.client();
    c.sink->choked = true;
    world.hub.send(c.session, make_frame("123"));
    world.hub.flush();
    c.sink->choked = false;
    c.sink->broken = true;
    world.hub.writable(c.connection);
    EXPECT_EQ(world.hub.stats().queued_bytes, 0U);
    world.hub.writable(c.connection);
    world.hub.closed(c.connection);
    EXPECT_EQ(world.hub.connections(), 0U);
}

TEST(Outbox, WhatWaitsWhenTheConnectionIsClosedIsStillTheSinksToTake) {
    World world;
    Client c = world.client();
    world.hub.join(c.session, "a", Position{0});
    c.sink->choked = true;
    world.hub.send(c.session, make_frame("1"));
    world.hub.flush();
    EXPECT_TRUE(world.hub.waiting(c.connection));
    world.hub.send(c.session, make_frame("2"));  // the same turn
    world.hub.close(c.connection, Errc::evicted);
    world.deliver(R"(["a"])", "x");  // sent after it: dropped
    world.hub.flush();
    EXPECT_THAT(c.sink->closes, ElementsAre(Errc::evicted));
    EXPECT_TRUE(world.hub.waiting(c.connection));
    c.sink->choked = false;
    world.hub.writable(c.connection);
    EXPECT_EQ(c.sink->all(), "12");
    EXPECT_FALSE(world.hub.waiting(c.connection));
    world.hub.closed(c.connection);
    EXPECT_FALSE(world.hub.waiting(c.connection));
}

TEST(Outbox, StaysChokedWhenTheSocketTakesNothingYet) {
    World world;
    Client c = world.client();
    c.sink->choked = true;
    world.hub.send(c.session, make_frame("1"));
    world.hub.flush();
    world.hub.writable(c.connection);
    EXPECT_EQ(c.sink->writable_requests, 2);
    c.sink->choked = false;
    world.hub.writable(c.connection);
    EXPECT_EQ(c.sink->all(), "1");
    EXPECT_EQ(c.sink->writable_requests, 2);
}

}  // namespace
}  // namespace bridge::hub
