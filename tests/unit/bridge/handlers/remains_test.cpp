// Events that stood behind a running one when their connection ended: handled all the same, in order, one at a time, bounded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char *kContext = R"({"userId":"ann"})";

struct Left {
    World world;
    Remains &remains = world.services.remains;
    Remains::Key key{ConnectionId{3, 1}, 7};

    static codec::Inbound event(std::string name, std::string args = "[]") {
        codec::Inbound packet;
        packet.event = std::move(name);
        packet.args = std::move(args);
        packet.nsp = "/shop";
        return packet;
    }
    static std::deque<codec::Inbound> events(std::initializer_list<const char *> names) {
        std::deque<codec::Inbound> packets;
        for (const char *name : names) packets.push_back(event(name));
        return packets;
    }
    void leave(std::deque<codec::Inbound> packets, bool running, Remains::Key of) {
        remains.leave(world.services, of, kContext, std::move(packets), running);
    }
    void leave(std::deque<codec::Inbound> packets, bool running) { leave(std::move(packets), running, key); }
    // What is with SQL now; it is answered by this.
    std::string answer(Result<db::HandleAnswer> result = World::handled("[]")) {
        if (world.queries.handles.empty()) return "(nothing)";
        auto [request, then] = std::move(world.queries.handles.front());
        world.queries.handles.pop_front();
        const std::string what = request.nsp + " " + request.event + " " + request.args;
        then(std::move(result));
        return what;
    }
};

TEST(Remains, WhatStoodBehindIsHandledInOrderOneAtATime) {
    Left left;
    std::deque<codec::Inbound> packets = Left::events({"a", "b"});
    packets.push_back(Left::event("c", R"([{"x":1.50}])"));
    left.leave(std::move(packets), true);
    EXPECT_THAT(left.world.queries.handles, IsEmpty()) << "the one that runs comes first";
    left.remains.answered(left.world.services, left.key, World::handled("[]"));
    EXPECT_EQ(left.world.queries.handles.size(), 1U);
    EXPECT_EQ(left.answer(), "/shop a []");
    EXPECT_EQ(left.world.queries.handles.size(), 1U);
    EXPECT_EQ(left.answer(Error{Errc::invalid, "no"}), "/shop b []") << "a refusal is nobody's to hear, and no reason to stop";
    EXPECT_FALSE(left.remains.empty());
    EXPECT_EQ(left.answer(), R"(/shop c [{"x":1.50}])");
    EXPECT_EQ(left.answer(), "(nothing)");
    EXPECT_TRUE(left.remains.empty());
}

TEST(Remains, BeginsAtOnceWhereNothingRuns) {
    Left left;
    left.leave(Left::events({"a"}), false);
    ASSERT_EQ(left.world.queries.handles.size(), 1U);
    const db::HandleRequest &request = left.world.queries.handles.front().first;
    EXPECT_THAT(request.context, HasSubstr(R"({"userId":"ann","correlationId":")" + request.trace.correlation_id + R"("})"));
    left.answer();
    EXPECT_TRUE(left.remains.empty());
}

TEST(Remains, WhatIsMeantForTheSessionItselfIsNotHandled) {
    Left left;
    left.leave(Left::events({"room:join", "room:leave", "ping", "heartbeat"}), false);
    EXPECT_TRUE(left.remains.empty());
    std::deque<codec::Inbound> packets = Left::events({"room:join", "a"});
    packets.emplace_back().kind = codec::Inbound::Kind::join;
    packets.emplace_back().kind = codec::Inbound::Kind::ping;
    left.leave(std::move(packets), false);
    EXPECT_EQ(left.answer(), "/shop a []");
    EXPECT_TRUE(left.remains.empty());
}

TEST(Remains, TheOneThatWaitedToGoToSqlIsTheFirst) {
    Left left;
    left.leave(Left::events({"b"}), true);
    left.remains.run(left.world.services, left.key, Left::event("a"));
    EXPECT_EQ(left.answer(), "/shop a []");
    EXPECT_EQ(left.answer(), "/shop b []");
    EXPECT_TRUE(left.remains.empty());
}

TEST(Remains, AHandlerThatSendsItsClientAwayEndsThem) {
    Left left;
    left.leave(Left::events({"a", "b"}), false);
    EXPECT_EQ(left.answer(World::handled("[]", R"([{"reply":["x",1]},{"disconnect":"enough"}])")), "/shop a []");
    EXPECT_EQ(left.answer(), "(nothing)");
    EXPECT_TRUE(left.remains.empty());
}

TEST(Remains, ConnectionsDoNotWaitForEachOther) {
    Left left;
    const Remains::Key again{ConnectionId{3, 2}, 7}, other{ConnectionId{3, 1}, 8};
    left.leave(Left::events({"a", "b"}), false);
    left.leave(Left::events({"c"}), false, again);
    left.leave(Left::events({"d"}), false, other);
    EXPECT_EQ(left.world.queries.handles.size(), 3U);
    for (const char *expected : {"/shop a []", "/shop c []", "/shop d []", "/shop b []"}) EXPECT_EQ(left.answer(), expected);
    EXPECT_TRUE(left.remains.empty());
}

TEST(Remains, NobodyElsesAnswerMovesThem) {
    Left left;
    left.leave(Left::events({"a"}), true);
    left.remains.answered(left.world.services, Remains::Key{ConnectionId{4, 1}, 7}, World::handled("[]"));
    left.remains.run(left.world.services, Remains::Key{ConnectionId{4, 1}, 7}, Left::event("b"));
    EXPECT_THAT(left.world.queries.handles, IsEmpty());
}

TEST(Remains, TooManyAreDroppedAndThoseBeforeStay) {
    Left left;
    std::deque<codec::Inbound> many(Remains::kMost - 1, Left::event("many"));
    left.leave(std::move(many), true);
    const double refused = left.world.metrics.queue_refusals().Value();
    const Remains::Key late{ConnectionId{5, 1}, 1};
    left.leave(Left::events({"x", "y"}), true, late);
    EXPECT_EQ(left.world.metrics.queue_refusals().Value(), refused + 2);
    left.remains.answered(left.world.services, late, World::handled("[]"));
    EXPECT_EQ(left.answer(), "(nothing)");
    left.leave(Left::events({"one"}), false, Remains::Key{ConnectionId{6, 1}, 1});
    EXPECT_EQ(left.answer(), "/shop one []") << "there is room for it";
    left.remains.answered(left.world.services, left.key, World::handled("[]", R"([{"disconnect":""}])"));
    EXPECT_TRUE(left.remains.empty());
    left.leave(Left::events({"x", "y"}), false, late);
    EXPECT_EQ(left.answer(), "/shop x []") << "what was dropped is counted no more";
}

}  // namespace
}  // namespace bridge::handlers::test
