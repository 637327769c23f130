// M9: whose doing a client's event is, as SQL is told: the message's own traceparent, else that of the CONNECT, else that of the request.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string trace(char digit) { return "00-" + std::string(32, digit) + "-00f067aa0ba902b7-01"; }
std::string said(char digit) { return R"("traceparent":")" + trace(digit) + '"'; }

// Connected, with `auth` beside the token.
void connect(World &world, Caller &caller, const std::string &auth) {
    caller.say(codec::Inbound::Kind::connect, "/", R"({"token":")" + world.token("u1") + '"' + auth + "}");
    world.queries.connects.back().then(World::allowed({"all"}));
    caller.take();
}
codec::Inbound packet(codec::Inbound::Kind kind, std::string traceparent = {}) {
    codec::Inbound packet;
    packet.kind = kind;
    packet.event = "e";
    packet.room = "r";
    packet.traceparent = std::move(traceparent);
    return packet;
}

TEST(TraceOfAClient, M9ThatOfTheConnectIsTheDefaultOfItsSession) {
    World world;
    Caller caller(world, Protocol::socketio, {}, trace('1'));
    connect(world, caller, "," + said('2'));
    EXPECT_THAT(world.queries.connects.back().context, HasSubstr(said('2')));
    caller.client.receive(packet(codec::Inbound::Kind::event));
    EXPECT_THAT(world.queries.handles.back().first.context, HasSubstr(said('2')));
    EXPECT_EQ(world.queries.handles.back().first.trace.traceparent, trace('2'));
    EXPECT_FALSE(world.queries.handles.back().first.trace.correlation_id.empty());
    world.queries.handles.back().second(World::handled("[]"));
    caller.client.receive(packet(codec::Inbound::Kind::event, trace('3')));
    EXPECT_THAT(world.queries.handles.back().first.context, HasSubstr(said('3'))) << "its own";
    world.queries.handles.back().second(World::handled("[]"));
    caller.client.receive(packet(codec::Inbound::Kind::join, trace('4')));
    EXPECT_THAT(world.queries.decisions.back().request.context, HasSubstr(said('4')));
    world.queries.decisions.back().then(World::decision(false));
    caller.emit("auth:refresh", R"([{"token":")" + world.token("u1") + R"("}])");
    EXPECT_THAT(world.queries.refreshes.back().context, HasSubstr(said('2')));
}

TEST(TraceOfAClient, M9WithoutOneThatOfTheRequestCountsAndWhatIsNoneIsIgnored) {
    for (const char *auth : {"", R"(,"traceparent":"nonsense")", R"(,"traceparent":7)", R"(,"traceparent":null)"}) {
        World world;
        Caller asked(world, Protocol::socketio, {}, trace('1')), bare(world);
        connect(world, asked, auth);
        EXPECT_THAT(world.queries.connects.back().context, HasSubstr(said('1'))) << auth;
        connect(world, bare, auth);
        EXPECT_THAT(world.queries.connects.back().context, Not(HasSubstr(R"("traceparent":"00-)"))) << auth;
    }
}

TEST(TraceOfAClient, M9EachNamespaceHasItsOwn) {
    World world;
    Caller caller(world);
    connect(world, caller, "," + said('1'));
    caller.say(codec::Inbound::Kind::connect, "/x", R"({"token":")" + world.token("u1") + "\"," + said('2') + "}");
    EXPECT_THAT(world.queries.connects.back().context, HasSubstr(said('2')));
    caller.client.receive(packet(codec::Inbound::Kind::event));
    EXPECT_THAT(world.queries.handles.back().first.context, HasSubstr(said('1')));
}

TEST(TraceOfAClient, M9AnswersToQuestionsAndWhatIsLeftBehindHaveItToo) {
    World world;
    Caller caller(world);
    connect(world, caller, "," + said('1'));
    caller.client.receive(packet(codec::Inbound::Kind::event));
    world.queries.handles.back().second(World::handled("[]", R"([{"ask":{"event":"q","payload":1,"timeout":1000,"answer":"f"}}])"));
    world.advance(1'100);
    ASSERT_EQ(world.queries.answers.size(), 1U);
    EXPECT_THAT(world.queries.answers.back().first.context, HasSubstr(said('1')));
    EXPECT_EQ(world.queries.answers.back().first.trace.traceparent, trace('1'));
    world.queries.answers.back().second(World::handled("[]"));

    for (const char *own : {"1", "2", "3"})
        caller.client.receive(packet(codec::Inbound::Kind::event, *own == '2' ? trace('2') : std::string()));
    caller.hang_up();
    for (const char digit : {'2', '1'}) {
        world.queries.handles.back().second(World::handled("[]"));
        EXPECT_THAT(world.queries.handles.back().first.context, HasSubstr(said(digit)));
        EXPECT_EQ(world.queries.handles.back().first.trace.traceparent, trace(digit));
    }
}

}  // namespace
}  // namespace bridge::handlers::test
