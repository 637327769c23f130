// Engine.IO packets and WebSocket frames.
#include "codec/engineio.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "codec/websocket_frame.hpp"
#include "frames.hpp"

namespace bridge::codec {
namespace {

using engineio::Type;
using test::frames;
using testing::ElementsAre;

TEST(EngineIo, DecodesEachType) {
    const std::pair<const char *, Type> types[] = {{"0", Type::open},      {"1", Type::close},     {"2probe", Type::ping},
                                                   {"3probe", Type::pong}, {"4hi", Type::message}, {"5", Type::upgrade},
                                                   {"6", Type::noop}};
    for (const auto &[text, type] : types) {
        const auto packet = engineio::decode(text, false);
        ASSERT_TRUE(packet) << text;
        EXPECT_EQ(packet->type, type);
        EXPECT_EQ(packet->bytes(), std::string_view(text).substr(1));
    }
}

TEST(EngineIo, BinaryFramesAreAttachmentsAsTheyAreEvenEmptyOnes) {
    EXPECT_EQ(engineio::decode("4hi", true)->type, Type::binary);
    EXPECT_EQ(engineio::decode("4hi", true)->bytes(), "4hi");
    EXPECT_EQ(engineio::decode("", true)->bytes(), "");
}

TEST(EngineIo, Base64TextIsAnAttachmentToo) {
    const auto packet = engineio::decode("bAQID", false);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->type, Type::binary);
    EXPECT_EQ(packet->bytes(), "\x01\x02\x03");
    EXPECT_EQ(engineio::decode("b", false)->bytes(), "");
}

TEST(EngineIo, RefusesEverythingElse) {
    for (const char *text : {"", "7", "a", "{", " 4", "b!", "bAQI", "bAQID=", "\x04"}) {
        const auto packet = engineio::decode(text, false);
        ASSERT_FALSE(packet) << text;
        EXPECT_EQ(packet.error().code, Errc::protocol_error);
    }
}

TEST(EngineIo, OpenHasExactlyFiveKeys) {
    using namespace std::chrono_literals;
    const auto open = frames(engineio::open_frame({"lv_VI97HAXpY6yYWAAAC", 25s, 20s, 1'000'000}));
    EXPECT_THAT(
        open,
        ElementsAre(R"(t0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})"));
    EXPECT_EQ(json::parse(std::string_view(open[0]).substr(2))->size(), 5U);
}

TEST(EngineIo, E5OpenOfAPollingSessionOffersTheUpgrade) {
    using namespace std::chrono_literals;
    EXPECT_EQ(engineio::open_packet({"lv_VI97HAXpY6yYWAAAC", 300ms, 200ms, 1'000'000, true}),
              R"(0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000})");
}

TEST(EngineIo, E5FramesBecomeAPollingBody) {
    const std::string frames = text_frame({"42[\"a\"]"}) + binary_frame(std::string_view("\x01\x02\x03\x04", 4)) + text_frame({"bAQI="}) +
                               binary_frame("") + text_frame({std::string(70'000, 'x')}) + text_frame({std::string(200, 'y')});
    std::string body;
    std::size_t packets = 0;
    std::string_view rest = frames;
    engineio::append_payload(body, packets, rest);
    EXPECT_EQ(body, "42[\"a\"]\x1e"
                    "bAQIDBA==\x1e"
                    "bAQI=\x1e"
                    "b\x1e" +
                        std::string(70'000, 'x') + "\x1e" + std::string(200, 'y'));
    EXPECT_EQ(packets, 6U);
    EXPECT_EQ(rest, "");
}

TEST(EngineIo, E5ABodyHoldsSixteenPacketsAndTheRestStays) {
    std::string frames;
    for (int n = 0; n < 20; ++n) frames += text_frame({"4", std::to_string(n)});
    std::string body;
    std::size_t packets = 0;
    std::string_view rest = frames;
    engineio::append_payload(body, packets, rest);
    EXPECT_EQ(packets, engineio::kMaxPackets);
    EXPECT_TRUE(body.ends_with("\x1e"
                               "415"));
    EXPECT_THAT(test::frames(rest), ElementsAre("t416", "t417", "t418", "t419"));
}

TEST(EngineIo, E5ABodyIsTakenApartPacketByPacket) {
    engineio::Payload body("4a\x1e"
                           "bAQID\x1e"
                           "2\x1e"
                           "9\x1e"
                           "4b");
    EXPECT_EQ(body.next()->payload, "a");
    EXPECT_EQ(body.next()->bytes(), "\x01\x02\x03");
    EXPECT_EQ(body.next()->type, Type::ping);
    EXPECT_FALSE(body.next());
    EXPECT_TRUE(body.more());
    EXPECT_EQ(body.next()->payload, "b");
    EXPECT_FALSE(body.more());
}

TEST(EngineIo, E5AnEmptyPacketIsNone) {
    for (const char *text : {"", "\x1e",
                             "\x1e"
                             "4a",
                             "4a\x1e"}) {
        engineio::Payload body(text);
        bool good = true;
        while (body.more()) good = body.next().has_value() && good;
        EXPECT_FALSE(good) << text;
    }
}

TEST(EngineIo, E5BinaryFramesBecomeTextForAClientThatTakesNoBinary) {
    const std::string mixed = text_frame({"451-[{\"_placeholder\":true,\"num\":0}]"}) + binary_frame(std::string_view("\x00\xff", 2));
    EXPECT_THAT(frames(engineio::base64_frames(mixed)), ElementsAre("t451-[{\"_placeholder\":true,\"num\":0}]", "tbAP8="));
}

TEST(EngineIo, ControlPacketsAreOneCharacter) {
    EXPECT_THAT(frames(engineio::ping_frame()), ElementsAre("t2"));
    EXPECT_THAT(frames(engineio::close_frame()), ElementsAre("t1"));
    EXPECT_THAT(frames(engineio::noop_frame()), ElementsAre("t6"));
    EXPECT_THAT(frames(engineio::pong_frame("probe")), ElementsAre("t3probe"));
}

TEST(WebSocketFrame, UsesTheShortestLengthForm) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{125}, std::size_t{126}, std::size_t{65535}, std::size_t{65536}, std::size_t{200'000}}) {
        const std::string payload(size, 'x');
        const std::string frame = text_frame({payload});
        EXPECT_EQ(frame.size(), size + (size < 126 ? 2 : size <= 65535 ? 4 : 10));
        EXPECT_THAT(frames(frame), ElementsAre("t" + payload));
    }
}

TEST(WebSocketFrame, JoinsItsPartsAndMarksBinary) {
    EXPECT_THAT(frames(text_frame({"a", "", "bc"})), ElementsAre("tabc"));
    EXPECT_THAT(frames(binary_frame(std::string_view("\x00\x01", 2))), ElementsAre(std::string("b\x00\x01", 3)));
}

}  // namespace
}  // namespace bridge::codec
