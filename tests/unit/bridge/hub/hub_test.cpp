// Who gets what, once, and in which write.
#include "hub/hub.hpp"

#include <gmock/gmock.h>

#include "fakes.hpp"

namespace bridge::hub {
namespace {

using test::Client;
using test::World;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr Position kStart{0};

TEST(Deliver, ReachesMembersOnlyAndNothingBeforeFlush) {
    World world;
    Client in = world.client(), out = world.client();
    world.hub.join(in.session, "a", kStart);
    world.deliver(R"(["a"])", "hi");
    EXPECT_THAT(in.sink->writes, IsEmpty());
    world.hub.flush();
    EXPECT_THAT(in.sink->writes, ElementsAre("<hi 1>"));
    EXPECT_THAT(out.sink->writes, IsEmpty());
}

TEST(Deliver, ReachesASessionOnceHoweverManyRoomsItSharesWithTheEvent) {
    World world;
    Client c = world.client();
    world.hub.join(c.session, "a", kStart);
    world.hub.join(c.session, "b", kStart);
    world.deliver(R"(["b","a","b","nobody"])", "hi");
    EXPECT_EQ(world.flushed(c), "<hi 1>");
}

TEST(Deliver, RoomsAreGlobalOverNamespacesAndEachSessionOfAConnectionGetsItsOwnFrame) {
    World world;
    Client c = world.client(Protocol::socketio, "/");
    const SessionId admin = world.add_session(c.connection, world.rng.id(), Protocol::socketio, "/admin");
    world.hub.join(c.session, "a", kStart);
    world.hub.join(admin, "a", kStart);
    world.deliver(R"(["a"])", "hi");
    EXPECT_EQ(world.flushed(c), "<hi 1></admin hi 1>");
}

TEST(Deliver, EncodesOnceForEachProtocolAndNamespace) {
    World world;
    std::vector<Client> clients;
    for (int i = 0; i < 10; ++i) {
        clients.push_back(world.client(Protocol::socketio, i % 2 ? "/" : "/x"));
        world.hub.join(clients.back().session, "a", kStart);
    }
    world.deliver(R"(["a"])", "hi");
    EXPECT_EQ(world.encoder.encoded, 2);
    world.deliver(R"(["nobody"])", "hi");
    EXPECT_EQ(world.encoder.encoded, 2);
}

TEST(Deliver, NativeFramesNameTheRoomThroughWhichTheSessionWasReached) {
    World world;
    Client one = world.client(Protocol::native), two = world.client(Protocol::native), both = world.client(Protocol::native);
    world.hub.join(one.session, "a", kStart);
    world.hub.join(two.session, "b", kStart);
    world.hub.join(both.session, "a", kStart);
    world.hub.join(both.session, "b", kStart);
    world.deliver(R"(["a","b"])", "hi");
    EXPECT_EQ(world.flushed(one), "<hi 1 in a>");
    EXPECT_EQ(world.flushed(two), "<hi 1 in b>");
    EXPECT_EQ(world.flushed(both), "<hi 1 in a>");
    EXPECT_EQ(world.encoder.encoded, 2);
}

TEST(Deliver, LeavesOutTheExceptedSession) {
    World world;
    Client sender = world.client(), other = world.client();
    world.hub.join(sender.session, "a", kStart);
    world.hub.join(other.session, "a", kStart);
    const std::string key(sender.key.view());
    world.deliver(R"(["a"])", "hi", "1", R"({"traceparent":"x","exceptSession":")" + key + R"("})");
    EXPECT_EQ(world.flushed(sender), "");
    EXPECT_EQ(world.flushed(other), "<hi 1>");
    world.deliver(R"(["a"])", "hi", "2", R"({"exceptSession":"nobody"})");
    world.deliver(R"(["a"])", "hi", "3", R"({"exceptSession":7})");
    EXPECT_EQ(world.flushed(sender), "<hi 2><hi 3>");
}

TEST(Deliver, RoomNamesMayHoldAnything) {
    World world;
    Client c = world.client();
    world.hub.join(c.session, "a\"b\t\n\x1e😀", kStart);
    world.deliver(R"(["x","a\"b\t\n\u001e\ud83d\ude00"])", "hi");
    EXPECT_EQ(world.flushed(c), "<hi 1>");
}

TEST(Deliver, SurvivesMalformedRooms) {
    World world;
    Client c = world.client();
    world.hub.join(c.session, "a", kStart);
    for (const char *rooms : {"", "[", "[\"a", "[\"a\\", "{}", "[1]", "[\"\\ud800\"]", "null"}) world.deliver(rooms, "hi");
    world.deliver(R"( [ "a" , "b" ])", "ok");
    EXPECT_EQ(world.flushed(c), "<ok 1>");
}

TEST(Deliver, CursorIsTheEventsOwn) {
    World world;
    world.encoder.with_cursor = true;
    Client c = world.client();
    world.hub.join(c.session, "a", kStart);
    world.deliver(R"(["a"])", "hi");
    world.deliver(R"(["a"])", "hi");
    EXPECT_EQ(world.flushed(c), "<hi 1 @00000000000000e1:1><hi 1 @00000000000000e1:2>");
    EXPECT_EQ(world.hub.cursor().text(), "00000000000000e1:2");
}

TEST(Flush, JoinsTheFramesOfOneTurnIntoOneWriteInOrder) {
    World world;
    Client c = world.client();
    world.hub.join(c.session, "a", kStart);
    world.deliver(R"(["a"])", "one");
    world.hub.send(c.session, make_frame("<reply>"));
    world.deliver(R"(["a"])", "two");
    world.hub.flush();
    EXPECT_THAT(c.sink->writes, ElementsAre("<one 1><reply><two 1>"));
}

TEST(Flush, DifferentSequencesForNeighboursAreNotMixedUp) {
    World world;
    Client one = world.client(), two = world.client(), three = world.client();
    for (Client *c : {&one, &two, &three}) world.hub.join(c->session, "all", kStart);
    world.hub.join(two.session, "two", kStart);
    world.deliver(R"(["all"])", "x");
    world.deliver(R"(["two"])", "y");
    world.deliver(R"(["all"])", "z");
    world.hub.flush();
    EXPECT_THAT(one.sink->writes, ElementsAre("<x 1><z 1>"));
    EXPECT_THAT(two.sink->writes, ElementsAre("<x 1><y 1><z 1>"));
    EXPECT_THAT(three.sink->writes, ElementsAre("<x 1><z 1>"));
}

TEST(Flush, AGrownTurnIsWrittenEarlyInOrder) {
    World world;
    Client c = world.client();
    world.hub.join(c.session, "a", kStart);
    const FramePtr frame = make_frame("x");
    for (std::size_t i = 0; i < Hub::kMaxTurn; ++i) world.hub.send(c.session, frame);
    EXPECT_THAT(c.sink->writes, IsEmpty());
    world.deliver(R"(["a"])", "last");
    EXPECT_EQ(c.sink->take(), std::string(Hub::kMaxTurn, 'x') + "<last 1>");
    EXPECT_EQ(world.flushed(c), "");
}

TEST(Flush, ALongOneIsFollowedByAPauseInWhichAStreamGathers) {
    using namespace std::chrono_literals;
    World world;
    Client c = world.client();
    c.sink->on_write = [&] { world.clock.advance(4ms); };
    world.hub.join(c.session, "a", kStart);
    world.deliver(R"(["a"])", "zero");
    world.deliver(R"(["a"])", "one");
    EXPECT_FALSE(world.hub.flush());
    world.deliver(R"(["a"])", "two");
    EXPECT_EQ(world.hub.flush(), 4ms);
    world.clock.advance(1500us);
    world.deliver(R"(["a"])", "three");
    world.hub.send(c.session, make_frame("<ack>"));
    EXPECT_EQ(world.hub.flush(), 3ms);
    world.clock.advance(2500us);
    EXPECT_FALSE(world.hub.flush());
    EXPECT_THAT(c.sink->writes, ElementsAre("<zero 1><one 1>", "<two 1><three 1><ack>"));
}

TEST(Flush, EventsThatComeOneByOneNeverWait) {
    using namespace std::chrono_literals;
    World world;
    Client one = world.client(), two = world.client();
    for (Client *c : {&one, &two}) {
        c->sink->on_write = [&] { world.clock.advance(5ms); };
        world.hub.join(c->session, "a", kStart);
    }
    for (const char *event : {"x", "y", "z"}) {
        world.deliver(R"(["a"])", event);
        EXPECT_FALSE(world.hub.flush());
    }
    EXPECT_THAT(one.sink->writes, ElementsAre("<x 1>", "<y 1>", "<z 1>"));
    EXPECT_THAT(two.sink->writes, ElementsAre("<x 1>", "<y 1>", "<z 1>"));
}

TEST(Flush, ThePauseIsBoundedAndOverForWhoComesLater) {
    using namespace std::chrono_literals;
    World world;
    Client c = world.client();
    c.sink->on_write = [&] { world.clock.advance(1s); };
    world.hub.send(c.session, make_frame("0"));
    world.hub.send(c.session, make_frame("1"));
    world.hub.flush();
    world.hub.send(c.session, make_frame("2"));
    EXPECT_EQ(world.hub.flush(), Hub::kMaxPause);
    world.clock.advance(Hub::kMaxPause);
    EXPECT_FALSE(world.hub.flush());
    EXPECT_THAT(c.sink->writes, ElementsAre("01", "2"));
    c.sink->on_write = [&] { world.clock.advance(1900us); };
    world.clock.advance(1s);
    for (const char *text : {"3", "4", "5"}) {  // short ones never wait
        world.hub.send(c.session, make_frame(text));
        EXPECT_FALSE(world.hub.flush());
    }
    EXPECT_EQ(c.sink->all(), "012345");
}

TEST(Flush, AGrownTurnDoesNotWaitForThePause) {
    using namespace std::chrono_literals;
    World world;
    Client c = world.client();
    world.hub.join(c.session, "a", kStart);
    c.sink->on_write = [&] { world.clock.advance(1s); };
    world.hub.send(c.session, make_frame("1"));
    world.hub.send(c.session, make_frame("1"));
    world.hub.flush();
    const FramePtr frame = make_frame("x");
    for (std::size_t i = 0; i < Hub::kMaxTurn; ++i) world.hub.send(c.session, frame);
    world.deliver(R"(["a"])", "last");
    EXPECT_EQ(c.sink->writes.size(), 2U);
}

TEST(Sessions, StaleIdsReachNobody) {
    World world;
    Client old = world.client();
    world.hub.join(old.session, "a", kStart);
    world.hub.closed(old.connection);
    Client fresh = world.client();  // takes over both slots
    EXPECT_EQ(fresh.session.index, old.session.index);
    EXPECT_EQ(fresh.connection.index, old.connection.index);
    EXPECT_EQ(world.hub.find(old.session), nullptr);
    EXPECT_EQ(world.hub.join(old.session, "b", kStart), Join::gone);
    EXPECT_FALSE(world.hub.leave(old.session, "a"));
    EXPECT_FALSE(world.hub.in_room(fresh.session, "a"));
    world.hub.send(old.session, make_frame("stale"));
    world.hub.send(old.connection, make_frame("stale"));
    world.hub.writable(old.connection);
    world.hub.close(old.connection, Errc::internal);
    world.hub.closed(old.connection);
    world.hub.remove_session(old.session);
    world.deliver(R"(["a"])", "hi");
    EXPECT_EQ(world.flushed(fresh), "");
    EXPECT_THAT(fresh.sink->closes, IsEmpty());
    EXPECT_EQ(world.hub.sessions(), 1U);
    EXPECT_EQ(world.hub.rooms(), 0U);
}

TEST(Sessions, AConnectionClosedInTheTurnTakesItsSendsAlong) {
    World world;
    Client old = world.client();
    world.hub.send(old.session, make_frame("for the old one"));
    world.hub.closed(old.connection);
    Client fresh = world.client();
    world.hub.send(fresh.session, make_frame("new"));
    EXPECT_EQ(world.flushed(fresh), "new");
    EXPECT_THAT(old.sink->writes, IsEmpty());
}

TEST(Sessions, AreFoundByKeyTheNewestFirst) {
    World world;
    Client one = world.client();
    EXPECT_EQ(world.hub.find_key(one.key), one.session);
    Client two = world.client();
    const SessionId again = world.add_session(two.connection, one.key);
    EXPECT_EQ(world.hub.find_key(one.key), again);
    world.hub.remove_session(one.session);
    EXPECT_EQ(world.hub.find_key(one.key), again);
    world.hub.remove_session(again);
    EXPECT_FALSE(world.hub.find_key(one.key));
}

TEST(Sessions, AreListedAndMayBeRemovedMeanwhile) {
    World world;
    Client c = world.client();
    const SessionId second = world.add_session(c.connection, world.rng.id(), Protocol::socketio, "/b");
    std::vector<std::string> seen;
    world.hub.each_session(c.connection, [&](SessionId id) {
        seen.emplace_back(world.hub.nsp(id));
        world.hub.remove_session(id);
    });
    EXPECT_THAT(seen, UnorderedElementsAre("/", "/b"));
    EXPECT_EQ(world.hub.sessions(), 0U);
    EXPECT_EQ(world.hub.find(second), nullptr);
    EXPECT_EQ(world.hub.connections(), 1U);
    int connections = 0;
    world.hub.each_connection([&](ConnectionId id) { connections += id == c.connection; });
    EXPECT_EQ(connections, 1);
}

TEST(Close, ComesAfterWhatWasSentAndLetsNothingElseThrough) {
    World world;
    Client c = world.client();
    world.hub.join(c.session, "a", kStart);
    world.hub.send(c.session, make_frame("41"));
    world.hub.close(c.connection, Errc::evicted);
    world.hub.close(c.connection, Errc::internal);
    world.deliver(R"(["a"])", "late");
    world.hub.send(c.session, make_frame("late"));
    EXPECT_FALSE(world.add_session(c.connection, world.rng.id()));
    EXPECT_THAT(c.sink->closes, IsEmpty());
    world.hub.flush();
    EXPECT_THAT(c.sink->writes, ElementsAre("41"));
    EXPECT_THAT(c.sink->closes, ElementsAre(Errc::evicted));
    world.deliver(R"(["a"])", "later");
    EXPECT_EQ(world.flushed(c), "41");
    EXPECT_TRUE(world.hub.find(c.session));  // until closed(), so that its state can still be read
    world.hub.closed(c.connection);
    EXPECT_EQ(world.hub.sessions(), 0U);
}

TEST(SendEvent, GoesToOneSessionAtTheCurrentCursor) {
    World world;
    world.encoder.with_cursor = true;
    Client c = world.client(), other = world.client();
    world.hub.advance(Position{41});
    Event event;
    event.name = "\"reply\"";
    event.payload = "{}";
    world.hub.send_event(c.session, event);
    EXPECT_EQ(world.flushed(c), "<reply {} @00000000000000e1:41>");
    EXPECT_EQ(world.flushed(other), "");
}

TEST(Metrics, CountWhatWasSentOncePerReceiver) {
    World world;
    std::vector<Client> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(world.client());
        world.hub.join(clients.back().session, "a", kStart);
    }
    world.deliver(R"(["a"])", "tick");
    world.deliver(R"(["a"])", "tick");
    world.hub.flush();
    EXPECT_EQ(world.metrics.messages_sent("/", "tick").Value(), 10);
    EXPECT_EQ(world.metrics.active_connections("/").Value(), 5);
    EXPECT_EQ(world.metrics.head_position().Value(), 2);
    world.hub.closed(clients[0].connection);
    EXPECT_EQ(world.metrics.active_connections("/").Value(), 4);
    EXPECT_EQ(world.metrics.sockets().Value(), 4);
}

}  // namespace
}  // namespace bridge::hub
