// The native protocol: what clients may say, and that mistakes are answered with the client's own id.
#include "codec/native.hpp"

#include <gmock/gmock.h>

#include "frames.hpp"

namespace bridge::codec::native {
namespace {

using test::frames;
using testing::ElementsAre;
using Kind = Inbound::Kind;

Inbound understood(std::string_view text) {
    auto packet = decode(text);
    EXPECT_TRUE(packet) << text;
    if (!packet) return {};
    EXPECT_FALSE(packet->problem) << text << ": " << packet->problem->detail;
    return std::move(*packet);
}

Inbound answered(std::string_view text) {
    auto packet = decode(text);
    EXPECT_TRUE(packet) << text;
    if (!packet) return {};
    EXPECT_TRUE(packet->problem) << text;
    return std::move(*packet);
}

TEST(Native, EmitKeepsArgumentsAndIdByteForByte) {
    const Inbound packet = understood(R"({"id": 1.0 ,"type":"emit","event":"a\u00e9","args":[ 1e2, {"b" : 1} ],"extra":[{}]})");
    EXPECT_EQ(packet.kind, Kind::event);
    EXPECT_EQ(packet.event, "aé");
    EXPECT_EQ(packet.args, R"([ 1e2, {"b" : 1} ])");
    EXPECT_EQ(packet.id, "1.0");
    EXPECT_EQ(packet.nsp, "/");
    EXPECT_EQ(understood(R"({"type":"emit","event":"x","id":"q\""})").id, R"("q\"")");
    EXPECT_EQ(understood(R"({"type":"emit","event":"x"})").args, "[]");
    EXPECT_FALSE(understood(R"({"type":"emit","event":"x"})").id);
}

TEST(Native, M9AMessageMaySayWhoseDoingItIs) {
    const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", said = R"(,"traceparent":")" + trace + "\"}";
    for (const char *message : {R"({"type":"emit","event":"x")", R"({"type":"join","room":"r")", R"({"type":"leave","room":"r")",
                                R"({"type":"ack","id":1)", R"({"type":"ping")"}) {
        EXPECT_EQ(understood(message + said).traceparent, trace);
        for (const char *bad : {"}", R"(,"traceparent":7})", R"(,"traceparent":null})", R"(,"traceparent":"nonsense"})"}) {
            EXPECT_EQ(understood(std::string(message) + bad).traceparent, "");
        }
    }
}

TEST(Native, JoinLeavePingAckConnect) {
    EXPECT_EQ(understood(R"({"type":"join","room":"r:1","id":1})").kind, Kind::join);
    EXPECT_EQ(understood(R"({"type":"join","room":"r:1","id":1})").room, "r:1");
    EXPECT_EQ(understood(R"({"type":"join","room":"r:1","since":"e:1"})").since, "e:1");
    EXPECT_EQ(understood(R"({"type":"join","room":"r:1","since":null})").since, "");
    EXPECT_EQ(understood(R"({"type":"leave","room":"r:1","since":7})").since, "");
    EXPECT_EQ(understood(R"({"type":"leave","room":"r:1"})").kind, Kind::leave);
    EXPECT_EQ(understood(R"({"type":"ping"})").kind, Kind::ping);
    EXPECT_EQ(understood(R"({"type":"ack","id":5,"args":[1]})").kind, Kind::ack);
    EXPECT_THAT(understood(R"({"type":"ack","id":5,"args":[],"attachments":["AP8=",""]})").attachments,
                ElementsAre(std::string("\0\xff", 2), ""));
    EXPECT_THAT(understood(R"({"type":"emit","event":"e","attachments":["AQ=="]})").attachments, ElementsAre("\x01"));
    EXPECT_TRUE(understood(R"({"type":"emit","event":"e","attachments":null})").attachments.empty());
    const Inbound connect = understood(R"({"type":"connect","token":"t"})");
    EXPECT_EQ(connect.kind, Kind::connect);
    EXPECT_EQ(connect.payload, R"({"type":"connect","token":"t"})");
}

TEST(Native, MistakesAreAnsweredWithTheirId) {
    for (const char *text :
         {R"({"id":7})", R"({"type":"fly","id":7})", R"({"type":5,"id":7})", R"({"type":"emit","id":7})",
          R"({"type":"emit","event":"","id":7})", R"({"type":"emit","event":"a\u0000","id":7})", R"({"type":"emit","event":1,"id":7})",
          R"({"type":"emit","event":"connect","id":7})", R"({"type":"emit","event":"x","args":{},"id":7})", R"({"type":"join","id":7})",
          R"({"type":"join","room":["a"],"id":7})", R"({"type":"join","room":"r","since":7,"id":7})", R"({"type":"join","room":"","id":7})",
          R"({"type":"leave","room":null,"id":7})"}) {
        const Inbound packet = answered(text);
        EXPECT_EQ(packet.id, "7") << text;
        EXPECT_EQ(packet.problem->code, Errc::bad_request) << text;
    }
    EXPECT_TRUE(answered(R"({"type":"join","room":")" + std::string(256, 'r') + "\"}").problem);
    EXPECT_FALSE(answered(R"({"type":"emit","event":"x","id":[1]})").id);
    EXPECT_FALSE(answered(R"({"type":"emit","event":"x","id":")" + std::string(64, 'i') + "\"}").id);
    EXPECT_TRUE(answered(R"({"type":"ack"})").problem);
    for (const char *attachments : {"{}", "\"AA==\"", "[1]", "[\"A\"]", "[\"AA\"]", "[null]", R"(["","","","","","","","","","",""])"})
        EXPECT_TRUE(answered(R"({"type":"emit","event":"e","attachments":)" + std::string(attachments) + "}").problem) << attachments;
}

TEST(Native, WhatIsNoObjectEndsTheConnection) {
    for (const char *text : {"", "[]", "1", "{", R"({"type":"ping"} x)", R"({"type":"ping","type":"ping"})", "{\"type\":\"\xff\"}"}) {
        const auto packet = decode(text);
        ASSERT_FALSE(packet) << text;
        EXPECT_EQ(packet.error().code, Errc::protocol_error) << text;
    }
    Limits limits;
    limits.max_payload = 10;
    EXPECT_EQ(decode(R"({"type":"ping"})", limits).error().code, Errc::payload_too_large);
}

TEST(Native, ServerMessages) {
    EXPECT_THAT(frames(connected({"sess", "e:1", {}})), ElementsAre(R"(t{"type":"connected","session":"sess","position":"e:1"})"));
    EXPECT_THAT(frames(connected({"sess", "e:1", "secret", true})),
                ElementsAre(R"(t{"type":"connected","session":"sess","position":"e:1","recovery":"secret","recovered":true})"));
    EXPECT_THAT(
        frames(connected({"s", "e:1", "p", false, "expired"})),
        ElementsAre(R"(t{"type":"connected","session":"s","position":"e:1","recovery":"p","recovered":false,"mustRefetch":"expired"})"));
    EXPECT_THAT(frames(ack("\"a\"", "[1]")), ElementsAre(R"(t{"type":"ack","id":"a","args":[1]})"));
    const std::vector<std::string> bytes{std::string("\0\xff", 2), ""};
    EXPECT_THAT(frames(ack("1", "[]", bytes)), ElementsAre(R"(t{"type":"ack","id":1,"args":[],"attachments":["AP8=",""]})"));
    EXPECT_THAT(frames(pong()), ElementsAre(R"(t{"type":"pong"})"));
    EXPECT_THAT(frames(event({"\"e\"", "1,2", "", "", "9", {}})), ElementsAre(R"(t{"type":"event","event":"e","args":[1,2],"id":9})"));
    const std::vector<std::string> attachments{"\x01\x02\x03", ""};
    EXPECT_THAT(frames(event({"\"e\"", "", "r", "p", "", attachments})),
                ElementsAre(R"(t{"type":"event","event":"e","args":[],"room":"r","position":"p","attachments":["AQID",""]})"));
    ErrorDetails details;
    details.event = "x";
    EXPECT_THAT(frames(error({Errc::forbidden, "no", "ask"}, details, "7")),
                ElementsAre(R"(t{"type":"error","code":"forbidden","message":"no","hint":"ask","event":"x","id":7})"));
    EXPECT_THAT(frames(error({Errc::internal, "", ""}, {}, "")),
                ElementsAre(R"(t{"type":"error","code":"internal","message":"internal"})"));
}

}  // namespace
}  // namespace bridge::codec::native
