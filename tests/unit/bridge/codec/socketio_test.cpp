// The grammar of Socket.IO v5, rule by rule, in both directions.
#include "codec/socketio.hpp"

#include <gmock/gmock.h>

#include "codec/outbound.hpp"
#include "frames.hpp"

namespace bridge::codec::socketio {
namespace {

using test::frames;
using testing::ElementsAre;
using Kind = Inbound::Kind;

Inbound accepted(std::string_view text) {
    Decoder decoder;
    auto packet = decoder.text(text);
    EXPECT_TRUE(packet) << text << ": " << (packet ? "" : packet.error().detail);
    if (!packet || !*packet) {
        ADD_FAILURE() << "no packet from " << text;
        return {};
    }
    return std::move(**packet);
}

void refused(std::string_view text) {
    Decoder decoder;
    const auto packet = decoder.text(text);
    ASSERT_FALSE(packet) << text;
    EXPECT_EQ(packet.error().code, Errc::protocol_error) << text;
}

TEST(SocketIoConnect, HasANamespaceAndAnOptionalObject) {
    EXPECT_EQ(accepted("0").kind, Kind::connect);
    EXPECT_EQ(accepted("0").nsp, "/");
    EXPECT_EQ(accepted("0").payload, "");
    EXPECT_EQ(accepted(R"(0{"token":"t"})").payload, R"({"token":"t"})");
    EXPECT_EQ(accepted("0/admin,").nsp, "/admin");
    EXPECT_EQ(accepted(R"(0/admin,{"token":"t"})").nsp, "/admin");
    EXPECT_EQ(accepted(R"(0/admin,{"token":"t"})").payload, R"({"token":"t"})");
}

TEST(SocketIoConnect, NamespaceMayEndThePacketAndKeepsItsQuery) {
    EXPECT_EQ(accepted("0/random").nsp, "/random");
    EXPECT_EQ(accepted("0/a?x=1,").nsp, "/a?x=1");
    EXPECT_EQ(accepted("1/custom").nsp, "/custom");
    EXPECT_EQ(accepted("0/,").nsp, "/");
}

TEST(SocketIoConnect, RefusesPayloadsThatAreNoObject) {
    for (const char *text : {"0[]", "0\"t\"", "0null", "0{", "0{} x", "05", "0/a,5{}", "0/a,[1]"}) refused(text);
}

TEST(SocketIoDisconnect, HasNoPayload) {
    EXPECT_EQ(accepted("1").kind, Kind::disconnect);
    EXPECT_EQ(accepted("1/admin,").nsp, "/admin");
    for (const char *text : {"1{}", "1[]", "1/admin,{}", "112", "1/admin,3"}) refused(text);
}

TEST(SocketIoEvent, ArgumentsStayByteForByte) {
    const Inbound packet = accepted(R"(2["foo", 1.50 ,{"z":1, "a":[ 2e3 ]},"\u00e9",-0])");
    EXPECT_EQ(packet.kind, Kind::event);
    EXPECT_EQ(packet.event, "foo");
    EXPECT_EQ(packet.args, R"([1.50 ,{"z":1, "a":[ 2e3 ]},"\u00e9",-0])");
    EXPECT_FALSE(packet.id);
    EXPECT_EQ(accepted(R"(2["foo"])").args, "[]");
}

TEST(SocketIoEvent, HasNamespaceAndAckIdInThisOrder) {
    const Inbound packet = accepted(R"(2/admin,13["foo"])");
    EXPECT_EQ(packet.nsp, "/admin");
    EXPECT_EQ(packet.id, "13");
    EXPECT_EQ(accepted(R"(20["foo"])").id, "0");
    EXPECT_EQ(accepted(R"(2["a","/b,1"])").nsp, "/");
}

TEST(SocketIoEvent, NameIsAStringOrANumber) {
    EXPECT_EQ(accepted("2[7,1]").event, "7");
    EXPECT_EQ(accepted("2[-1.5]").event, "-1.5");
    EXPECT_EQ(accepted(R"(2["\ud83d\ude00 \"q\""])").event, "😀 \"q\"");
    for (const char *text : {"2", "2[]", "2{}", "2null", "2\"foo\"", "2[null]", "2[true]", "2[{}]", "2[[\"a\"]]"}) refused(text);
}

TEST(SocketIoEvent, RefusesReservedNamesAndLetsTheOthersThrough) {
    for (const char *name : {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}) {
        refused("2[\"" + std::string(name) + "\"]");
        EXPECT_TRUE(reserved_event(name));
    }
    refused(R"(2["\u0063onnect"])");
    for (const char *name : {"error", "message", "ping", "pong", "__proto__", "constructor"}) {
        EXPECT_EQ(accepted("2[\"" + std::string(name) + "\"]").event, name);
    }
}

TEST(SocketIoEvent, NamesThatSqlCannotHoldAreAnsweredNotCarriedOut) {
    const Inbound nul = accepted(R"(25["a\u0000b"])");
    ASSERT_TRUE(nul.problem);
    EXPECT_EQ(nul.problem->code, Errc::invalid);
    EXPECT_EQ(nul.id, "5");
    EXPECT_TRUE(accepted(R"(2["\ud800"])").problem);
}

TEST(SocketIoEvent, PlaceholdersAreOrdinaryDataWithoutAttachments) {
    const Inbound packet = accepted(R"(2["x",{"_placeholder":true,"num":99}])");
    EXPECT_EQ(packet.args, R"([{"_placeholder":true,"num":99}])");
    EXPECT_TRUE(packet.attachments.empty());
}

TEST(SocketIoAck, HasAnIdAndAnArray) {
    const Inbound packet = accepted(R"(3/admin,13["bar",{"a" : 1}])");
    EXPECT_EQ(packet.kind, Kind::ack);
    EXPECT_EQ(packet.id, "13");
    EXPECT_EQ(packet.args, R"(["bar",{"a" : 1}])");
    EXPECT_EQ(accepted("30[]").args, "[]");
    for (const char *text : {"3", "3[]", "31", "31{}", "31\"a\"", "31[", "3/a,[]"}) refused(text);
}

TEST(SocketIoPacket, RefusesUnknownTypesAndWhatOnlyServersSend) {
    for (const char *text : {"", "7", "9[\"a\"]", "a", "4{\"message\":\"x\"}", "44", "-2[\"a\"]", " 2[\"a\"]", "2 [\"a\"]x"}) refused(text);
}

TEST(SocketIoPacket, RefusesBadJsonAndBadIds) {
    for (const char *text : {"2[\"a\"", "2[\"a\"]]", "2[\"a\",]", "2[a]", "2[\"\xff\"]", "2x[\"a\"]", "2-1[\"a\"]", "2/admin[\"a\"]",
                             "212345678901234567[\"a\"]"}) {
        refused(text);
    }
    EXPECT_EQ(accepted(R"(21234567890123456["a"])").id, "1234567890123456");
}

TEST(SocketIoPacket, IsBoundedInSizeDepthAndNamespace) {
    Decoder decoder;
    Limits limits;
    limits.max_payload = 20;
    EXPECT_EQ(decoder.text("2[\"aaaaaaaaaaaaaaaaaaaaaaaa\"]", limits).error().code, Errc::payload_too_large);
    refused("2[\"a\"," + std::string(64, '[') + std::string(64, ']') + "]");
    refused("0/" + std::string(255, 'a'));
    EXPECT_EQ(accepted("0/" + std::string(254, 'a')).nsp.size(), 255U);
    refused(std::string("0/a\0b,", 6));
    refused("0/\xff,");
}

TEST(SocketIoBinary, WaitsForItsAttachmentsAndThenGivesThePacket) {
    Decoder decoder;
    auto head = decoder.text(R"(52-/admin,7["up",{"_placeholder":true,"num":0},{"a":[{"num":1,"_placeholder":true}]}])");
    ASSERT_TRUE(head);
    EXPECT_FALSE(*head);
    EXPECT_TRUE(decoder.waiting());
    auto first = decoder.binary("one");
    ASSERT_TRUE(first);
    EXPECT_FALSE(*first);
    auto last = decoder.binary("");
    ASSERT_TRUE(last && *last);
    EXPECT_FALSE(decoder.waiting());
    const Inbound &packet = **last;
    EXPECT_EQ(packet.kind, Kind::event);
    EXPECT_EQ(packet.nsp, "/admin");
    EXPECT_EQ(packet.id, "7");
    EXPECT_EQ(packet.event, "up");
    EXPECT_EQ(packet.args, R"([{"_placeholder":true,"num":0},{"a":[{"num":1,"_placeholder":true}]}])");
    EXPECT_THAT(packet.attachments, ElementsAre("one", ""));
    EXPECT_TRUE(decoder.text(R"(2["next"])"));
}

TEST(SocketIoBinary, AckWorksLikewiseAndZeroAttachmentsAreThereAtOnce) {
    Decoder decoder;
    ASSERT_TRUE(decoder.text(R"(61-/admin,7[{"_placeholder":true,"num":0}])"));
    const auto ack = decoder.binary("x");
    ASSERT_TRUE(ack && *ack);
    EXPECT_EQ((*ack)->kind, Kind::ack);
    EXPECT_EQ(accepted(R"(50-["a"])").event, "a");
}

TEST(SocketIoBinary, NothingMayComeBetweenAndNothingOutOfTurn) {
    Decoder decoder;
    EXPECT_EQ(decoder.binary("x").error().code, Errc::protocol_error);
    ASSERT_TRUE(decoder.text(R"(51-["a",{"_placeholder":true,"num":0}])"));
    EXPECT_EQ(decoder.text(R"(2["b"])").error().code, Errc::protocol_error);
}

TEST(SocketIoBinary, RefusesBadCountsAndBadPlaceholders) {
    for (const char *text : {R"(5["a"])", R"(5-["a"])", R"(51["a"])", R"(511-["a"])", R"(5999999999-["a"])", R"(5-1-["a"])", R"(6-1[])",
                             R"(51-["a",{"_placeholder":true,"num":1}])", R"(51-["a",{"_placeholder":true,"num":-1}])",
                             R"(51-["a",{"_placeholder":true,"num":0.5}])", R"(51-["a",{"_placeholder":true,"num":"0"}])",
                             R"(51-["a",{"_placeholder":true}])", R"(50-["a",[{"_placeholder":true,"num":0}]])"}) {
        refused(text);
    }
    Decoder decoder;
    EXPECT_TRUE(decoder.text(R"(510-["a",{"_placeholder":false,"num":77},{"_placeholder":1,"num":77}])"));
}

TEST(SocketIoBinary, IsBoundedOverAllAttachments) {
    Decoder decoder;
    Limits limits;
    limits.max_payload = 100;
    ASSERT_TRUE(decoder.text(R"(53-["a"])", limits));
    ASSERT_TRUE(decoder.binary(std::string(100, 'x'), limits));
    EXPECT_EQ(decoder.binary(std::string(100, 'x'), limits).error().code, Errc::payload_too_large);
    Decoder other;
    ASSERT_TRUE(other.text(R"(53-["a"])", limits));
    EXPECT_EQ(other.binary(std::string(101, 'x'), limits).error().code, Errc::payload_too_large);
}

TEST(SocketIoEncode, ConnectAckHasTheSidAndThePidOnlyWithRecovery) {
    EXPECT_THAT(frames(connected("/", "wZX3")), ElementsAre(R"(t40{"sid":"wZX3"})"));
    EXPECT_THAT(frames(connected("/admin", "s", "p")), ElementsAre(R"(t40/admin,{"sid":"s","pid":"p"})"));
}

TEST(SocketIoEncode, ConnectErrorAndDisconnect) {
    EXPECT_THAT(frames(connect_error("/", "no \"way\"")), ElementsAre(R"(t44{"message":"no \"way\""})"));
    EXPECT_THAT(frames(connect_error("/x", "Invalid namespace", R"({"code":"not_found","retryable":false})")),
                ElementsAre(R"(t44/x,{"message":"Invalid namespace","data":{"code":"not_found","retryable":false}})"));
    EXPECT_THAT(frames(disconnected("/")), ElementsAre("t41"));
    EXPECT_THAT(frames(disconnected("/admin")), ElementsAre("t41/admin,"));
}

TEST(SocketIoEncode, EventWithArgumentsIdAndOffset) {
    Event e;
    e.name = "\"foo\"";
    EXPECT_THAT(frames(event(e)), ElementsAre(R"(t42["foo"])"));
    e.args = R"(1.0,{"b":1})";
    EXPECT_THAT(frames(event(e)), ElementsAre(R"(t42["foo",1.0,{"b":1}])"));
    e.nsp = "/admin";
    e.offset = "e:5";
    EXPECT_THAT(frames(event(e)), ElementsAre(R"(t42/admin,["foo",1.0,{"b":1},"e:5"])"));
    e.offset = {};
    e.id = "0";
    EXPECT_THAT(frames(event(e)), ElementsAre(R"(t42/admin,0["foo",1.0,{"b":1}])"));
}

TEST(SocketIoEncode, AttachmentsFollowTheirHead) {
    const std::vector<std::string> attachments{std::string("\x00\xff", 2), ""};
    Event e;
    e.nsp = "/a";
    e.name = "\"f\"";
    e.args = R"({"_placeholder":true,"num":0})";
    e.attachments = attachments;
    EXPECT_THAT(frames(event(e)), ElementsAre(R"(t452-/a,["f",{"_placeholder":true,"num":0}])", std::string("b\x00\xff", 3), "b"));
    e.base64 = true;
    EXPECT_THAT(frames(event(e)), ElementsAre(R"(t452-/a,["f",{"_placeholder":true,"num":0}])", "tbAP8=", "tb"));
    EXPECT_THAT(frames(ack("/", "3", "[]", attachments)), ElementsAre("t462-3[]", std::string("b\x00\xff", 3), "b"));
    EXPECT_THAT(frames(ack("/a", "3", "[1]")), ElementsAre("t43/a,3[1]"));
}

TEST(SocketIoEncode, ErrorIsAnAckWhenAskedForAndAnEventWhenNot) {
    const Error error{Errc::rate_limited, "slow down", "wait"};
    ErrorDetails details;
    details.event = "move";
    details.correlation_id = "c1";
    details.retry_after = 3;
    EXPECT_THAT(
        frames(error_frame(Protocol::socketio, "/a", "5", error, details)),
        ElementsAre(
            R"(t43/a,5[{"error":{"code":"rate_limited","message":"slow down","hint":"wait","event":"move","correlationId":"c1","retryAfter":3}}])"));
    EXPECT_THAT(frames(error_frame(Protocol::socketio, "/", "", {Errc::not_found, "", ""}, {})),
                ElementsAre(R"(t42["error",{"code":"not_found","message":"not_found"}])"));
}

TEST(Outbound, OffsetGoesOnlyIntoSocketIoEventsWithoutAckId) {
    OutEvent e;
    e.name = "\"x\"";
    e.args = "1";
    e.room = "r\"";
    e.position = "9f3c01ab5577de20:7";
    EXPECT_THAT(frames(event_frame(Protocol::socketio, e)), ElementsAre(R"(t42["x",1])"));
    e.offset = true;
    EXPECT_THAT(frames(event_frame(Protocol::socketio, e)), ElementsAre(R"(t42["x",1,"9f3c01ab5577de20:7"])"));
    EXPECT_THAT(frames(event_frame(Protocol::native, e)),
                ElementsAre(R"(t{"type":"event","event":"x","args":[1],"room":"r\"","position":"9f3c01ab5577de20:7"})"));
    e.id = "4";
    EXPECT_THAT(frames(event_frame(Protocol::socketio, e)), ElementsAre(R"(t424["x",1])"));
    EXPECT_EQ(connect_error_data({Errc::unauthenticated, "", ""}), R"({"code":"unauthenticated","retryable":false})");
    EXPECT_EQ(connect_error_data({Errc::unavailable, "", ""}), R"({"code":"unavailable","retryable":true})");
}

TEST(Outbound, E3AnEphemeralEventHasNoPosition) {
    OutEvent e;
    e.name = "\"t\"";
    e.args = "1";
    e.room = "r";
    e.position = "9f3c01ab5577de20:7";
    e.ephemeral = true;
    e.offset = true;
    EXPECT_THAT(frames(event_frame(Protocol::socketio, e)), ElementsAre(R"(t42["t",1])"));
    EXPECT_THAT(frames(event_frame(Protocol::native, e)), ElementsAre(R"(t{"type":"event","event":"t","args":[1],"room":"r"})"));
    EXPECT_EQ(event_frame(Protocol::sse, e), "event: t\ndata: 1\n\n");
    EXPECT_EQ(event_frame(Protocol::poll, e), "9f3c01ab5577de20:7 {\"event\":\"t\",\"args\":[1],\"room\":\"r\"}\n");
    e.args = "\"text\"";
    EXPECT_THAT(frames(event_frame(Protocol::socketio, e)), ElementsAre(R"(t42["t","text","9f3c01ab5577de20:7"])"))
        << "the client would take the text for its offset";
}

}  // namespace
}  // namespace bridge::codec::socketio
