// Questions to clients: asked by handlers, answers and connect functions; answered, or not, exactly once; binary values both ways.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = codec::Inbound::Kind;

std::string question(std::string_view function = "shop.hear", int timeout = 1000, std::string_view event = "sure") {
    return R"({"ask":{"event":")" + std::string(event) + R"(","payload":{"z":1.50,"a":1,"a":2},"timeout":)" + std::to_string(timeout) +
           R"(,"answer":)" + (function.empty() ? "null" : '"' + std::string(function) + '"') + "}}";
}

// A handler's effects are carried out.
void handler_asks(World &world, Caller &peer, const std::string &effects) {
    peer.emit("go");
    auto then = std::move(world.queries.handles.front().second);
    world.queries.handles.pop_front();
    then(World::handled("[]", "[" + effects + "]"));
}
// The id in `42<id>["sure",…]`.
std::string id_of(const std::string &frame) { return frame.substr(2, frame.find('[') - 2); }

void ack(Caller &peer, const std::string &id, std::string args = "[]", std::vector<std::string> attachments = {}) {
    codec::Inbound packet;
    packet.kind = Kind::ack;
    packet.id = id;
    packet.args = std::move(args);
    packet.attachments = std::move(attachments);
    peer.client.receive(std::move(packet));
}
db::AnswerRequest heard(World &world, const std::string &effects = "[]") {
    auto [request, then] = std::move(world.queries.answers.front());
    world.queries.answers.pop_front();
    then(World::handled("", effects));
    return request;
}

TEST(Ask, E5_AnAnswerReachesItsFunctionOnce) {
    World world;
    Caller peer(world);
    peer.settle();
    handler_asks(world, peer, question());
    const std::string frame = peer.one();
    const std::string id = id_of(frame);
    EXPECT_EQ(frame, "42" + id + R"(["sure",{"z":1.50,"a":1,"a":2}])");
    ack(peer, id, R"([ {"b":1e3} ])", {"\x01"});
    ack(peer, id, "[2]");
    ASSERT_EQ(world.queries.answers.size(), 1U);
    const auto request = heard(world);
    EXPECT_EQ(request.function, "shop.hear");
    EXPECT_EQ(request.args, R"([ {"b":1e3} ])");
    EXPECT_THAT(request.attachments, ElementsAre("\x01"));
    EXPECT_THAT(request.context, HasSubstr(R"("userId":"u1")"));
    EXPECT_THAT(request.context, HasSubstr(R"("generation":1)"));
    world.advance(5000);
    EXPECT_TRUE(world.queries.answers.empty());
}

TEST(Ask, E5_NobodyAnswersInTime) {
    World world;
    Caller peer(world);
    peer.settle();
    handler_asks(world, peer, question("shop.hear", 1000));
    const std::string id = id_of(peer.one());
    world.advance(990);
    EXPECT_TRUE(world.queries.answers.empty());
    world.advance(20);
    EXPECT_EQ(heard(world).args, std::nullopt);
    ack(peer, id, "[1]");  // too late
    EXPECT_TRUE(world.queries.answers.empty());
}

TEST(Ask, E5_UnknownIdsAndAnswersThatNobodyWantsAreIgnored) {
    World world;
    Caller peer(world);
    peer.settle();
    ack(peer, "0", "[1]");
    handler_asks(world, peer, question(""));
    const std::string id = id_of(peer.one());
    for (const char *other : {"", "x", "-1", "\"1\"", "99999999999999999999"}) ack(peer, other, "[1]");
    ack(peer, id, "[1]");
    world.advance(5000);
    EXPECT_TRUE(world.queries.answers.empty());
    EXPECT_TRUE(peer.sink.closes.empty());
}

TEST(Ask, E5_WhenTheClientGoesEachIsHeardOfWithoutAnAnswer) {
    for (const bool polite : {true, false}) {
        World world;
        Caller peer(world);
        peer.settle();
        handler_asks(world, peer, question("one") + "," + question("two") + "," + question(""));
        peer.take();
        if (polite) {
            peer.say(Kind::disconnect);
        } else {
            peer.hang_up();
        }
        ASSERT_EQ(world.queries.answers.size(), 2U);
        for (const char *function : {"one", "two"}) {
            const auto request = heard(world);
            EXPECT_EQ(request.function, function);
            EXPECT_EQ(request.args, std::nullopt);
            EXPECT_THAT(request.context, HasSubstr(R"("userId":"u1")"));
        }
        world.advance(5000);
        EXPECT_TRUE(world.queries.answers.empty());
    }
}

TEST(Ask, E5_AnAnswerThatWaitsForItsTurnIsNotLostWithItsClient) {
    World world;
    Caller peer(world);
    peer.settle();
    handler_asks(world, peer, question());
    const std::string id = id_of(peer.one());
    peer.emit("slow");
    ack(peer, id, "[7]");
    EXPECT_TRUE(world.queries.answers.empty());  // one at a time
    peer.hang_up();
    EXPECT_EQ(heard(world).args, "[7]");
}

TEST(Ask, E5_AnswersWaitTheirTurnAndSoDoTheNextEvents) {
    World world;
    Caller peer(world);
    peer.settle();
    handler_asks(world, peer, question());
    ack(peer, id_of(peer.one()), "[7]");
    peer.emit("next");
    EXPECT_TRUE(world.queries.handles.empty());
    EXPECT_EQ(heard(world, "[" + question("again") + R"(,{"reply":["thanks",1]},{"join":"more"}])").args, "[7]");
    const auto sent = peer.take();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_THAT(sent[0], HasSubstr(R"(["sure",)"));
    EXPECT_EQ(sent[1], R"(42["thanks",1])");
    EXPECT_EQ(world.hub.members("more"), 1U);
    EXPECT_EQ(world.queries.handles.size(), 1U);  // the next one runs
}

TEST(Ask, E5_AnAnswersFunctionMayFailOrDisconnect) {
    World world;
    Caller peer(world);
    peer.settle();
    handler_asks(world, peer, question("one") + "," + question("two"));
    const auto asked = peer.take();
    ack(peer, id_of(asked[0]));
    auto then = std::move(world.queries.answers.front().second);
    world.queries.answers.pop_front();
    then(Error{Errc::internal, "internal error"});
    EXPECT_THAT(peer.take(), IsEmpty());  // nobody asked the server, so nobody is told
    ack(peer, id_of(asked[1]));
    heard(world, R"([{"disconnect":"bye"}])");
    EXPECT_EQ(peer.one(), "41");
}

TEST(Ask, E5_QuestionsOfOneSessionAreBounded) {
    World world;
    Caller peer(world);
    peer.settle();
    std::string effects;
    for (std::size_t n = 0; n < Asks::kMost + 2; ++n) effects += (n > 0 ? "," : "") + question("f" + std::to_string(n));
    handler_asks(world, peer, effects);
    EXPECT_EQ(peer.take().size(), Asks::kMost);
    EXPECT_EQ(heard(world).function, "f64");
    const auto last = heard(world);
    EXPECT_EQ(last.function, "f65");
    EXPECT_EQ(last.args, std::nullopt);
    EXPECT_TRUE(world.queries.answers.empty());
}

TEST(Ask, E5_EachNamespaceHasItsOwn) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.connect(world.token("u1"), "/desk");
    world.queries.connects.front().then(World::allowed({}));
    peer.take();
    handler_asks(world, peer, question());
    const std::string id = id_of(peer.one());
    codec::Inbound packet;
    packet.kind = Kind::ack;
    packet.nsp = "/desk";
    packet.id = id;
    peer.client.receive(std::move(packet));
    EXPECT_TRUE(world.queries.answers.empty());
    ack(peer, id);
    EXPECT_EQ(world.queries.answers.size(), 1U);
}

TEST(Ask, E5_BinaryValuesTravelBothWays) {
    World world;
    Caller peer(world);
    peer.settle();
    peer.emit("file", "[]", "5");
    world.queries.handles.front().second(
        World::handled(R"([{"_placeholder":true,"num":0}])", R"([{"reply":["b",{"_placeholder":true,"num":0},["AQ=="]]},
        {"ask":{"event":"c","payload":{"_placeholder":true,"num":0},"timeout":9,"answer":null,"attachments":["Ag=="]}},{"replyArgs":["d",[1,"x"]]},{"replyArgs":["e",[]]},
        {"attach":["AP8="]}])"));
    const auto sent = peer.take();
    ASSERT_EQ(sent.size(), 8U);
    EXPECT_EQ(sent[0], R"(451-["b",{"_placeholder":true,"num":0}])");
    EXPECT_EQ(sent[1], "\x01");
    EXPECT_THAT(sent[2], ::testing::MatchesRegex(R"(451-[0-9]+\["c",\{"_placeholder":true,"num":0\}\])"));
    EXPECT_EQ(sent[3], "\x02");
    EXPECT_EQ(sent[4], R"(42["d",1,"x"])");
    EXPECT_EQ(sent[5], R"(42["e"])");
    EXPECT_EQ(sent[6], R"(461-5[{"_placeholder":true,"num":0}])");
    EXPECT_EQ(sent[7], std::string("\x00\xff", 2));
}

TEST(Ask, E5_TheNativeProtocolAsksToo) {
    World world;
    Caller peer(world, Protocol::native, world.token("u1"));
    world.queries.connects.front().then(World::allowed({}));
    peer.take();
    peer.emit("go", "[]", "1");
    world.queries.handles.front().second(World::handled(
        R"([{"_placeholder":true,"num":0}])",
        R"([{"ask":{"event":"sure","payload":{"_placeholder":true,"num":0},"timeout":9,"answer":"f","attachments":["Ag=="]}},{"attach":["AP8="]}])"));
    const auto sent = peer.take();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_THAT(
        sent[0],
        ::testing::MatchesRegex(
            R"(\{"type":"event","event":"sure","args":\[\{"_placeholder":true,"num":0\}\],"id":[0-9]+,"attachments":\["Ag=="\]\})"));
    EXPECT_EQ(sent[1], R"({"type":"ack","id":1,"args":[{"_placeholder":true,"num":0}],"attachments":["AP8="]})");
    const std::size_t at = sent[0].find("\"id\":") + 5;
    ack(peer, sent[0].substr(at, sent[0].find(',', at) - at), "[1]");
    EXPECT_EQ(heard(world).args, "[1]");
}

TEST(Ask, E5_AConnectFunctionSendsBehindTheAnswerToTheConnect) {
    World world;
    Caller peer(world);
    peer.say(Kind::connect, "/", R"({"token":")" + world.token("u1") + R"(","z":1.50, "a":"\u001e"})");
    EXPECT_THAT(world.queries.connects.front().context, HasSubstr(R"(,"z":1.50, "a":"\u001e"})"));
    peer.emit("waits");
    auto answer = World::allowed({"all"});
    answer.effects = "[" + question() + R"(,{"reply":["auth",{"b":1,"b":2}]}])";
    world.queries.connects.front().then(std::move(answer));
    const auto sent = peer.take();
    ASSERT_EQ(sent.size(), 3U);
    EXPECT_TRUE(sent[0].starts_with("40{"));
    EXPECT_THAT(sent[1], HasSubstr(R"(["sure",)"));
    EXPECT_EQ(sent[2], R"(42["auth",{"b":1,"b":2}])");
    EXPECT_EQ(world.queries.handles.size(), 1U);
    world.queries.handles.front().second(World::handled("[]"));
    ack(peer, id_of(sent[1]), "[1]");
    EXPECT_EQ(heard(world).args, "[1]");
}

TEST(Ask, E5_ADrainHearsOfQuestionsToo) {
    World world;
    Caller peer(world);
    peer.settle();
    handler_asks(world, peer, question());
    peer.take();
    peer.client.drain();
    peer.hang_up();
    EXPECT_EQ(heard(world).args, std::nullopt);
}

}  // namespace
}  // namespace bridge::handlers::test
