// The rules for names, and how a message shows one.
#include "names/rules.hpp"

#include <gtest/gtest.h>

namespace pulse::names {
namespace {

TEST(Rules, ARoomHas1To255BytesAndNoControlCharacter) {
    EXPECT_FALSE(check_room("r"));
    EXPECT_FALSE(check_room(std::string(255, 'x')));
    EXPECT_FALSE(check_room("quotes \" ' tab-less, 😀"));
    EXPECT_EQ(check_room("")->message, "room name is empty");
    EXPECT_EQ(check_room(std::string(256, 'x'))->message, "room name \"" + std::string(60, 'x') + "…\" is too long: 256 bytes");
    for (char c : {'\0', '\t', '\n', '\x1e', '\x1f', '\x7f'}) EXPECT_TRUE(check_room(std::string("a") + c)) << int(c);
    EXPECT_EQ(check_room("")->hint, "A room name has 1 to 255 bytes and no control characters.");
}

TEST(Rules, TheEnginesOwnRoomsAreReserved) {
    for (auto room : {"pulse:", "pulse:system", "pulse:user:ann"}) {
        EXPECT_EQ(check_room(room)->message, "room name \"" + std::string(room) + "\" is reserved");
    }
    for (auto room : {"pulse", "pulse_x", "Pulse:system", "x:pulse:system"}) EXPECT_FALSE(check_room(room)) << room;
}

TEST(Rules, NamesThatSocketIoUsesItselfAreReserved) {
    for (auto name : {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
        EXPECT_EQ(check_event_name(name)->message, "event name \"" + std::string(name) + "\" is reserved");
    for (auto name : {"Connect", "connected", "disconnect ", "message", "é"}) EXPECT_FALSE(check_event_name(name)) << name;
}

TEST(Rules, AChannelHas63Bytes) {
    EXPECT_FALSE(check_channel(std::string(63, 'c')));
    EXPECT_TRUE(check_channel(std::string(64, 'c')));
    EXPECT_TRUE(check_channel(""));
    EXPECT_TRUE(check_channel("pulse_"));
    EXPECT_TRUE(check_channel("pulse_0123456789abcdef"));
    EXPECT_FALSE(check_channel("pulse"));
    EXPECT_FALSE(check_channel("my_pulse_"));
    EXPECT_FALSE(check_channel("Pulse_"));
}

TEST(Rules, AnOptionMayHoldAnyCharacter) {
    EXPECT_FALSE(check_name("partition_key", "a\nb"));
    EXPECT_EQ(check_name("partition_key", "")->message, "partition_key is empty");
    EXPECT_EQ(check_name("partition_key", std::string(256, 'k'))->hint, "partition_key has 1 to 255 bytes.");
}

TEST(Excerpt, EscapesAndNeverCutsACharacter) {
    EXPECT_EQ(excerpt("a\n\"b"), "a\\n\\\"b");
    const std::string emoji = "😀";
    std::string text = "x";
    for (int i = 0; i < 20; ++i) text += emoji;
    EXPECT_EQ(excerpt(text), text.substr(0, 1 + 14 * 4) + "…");
    EXPECT_EQ(excerpt(std::string(100, '\x80')), "…");  // no UTF-8 at all: nothing to show, nothing to break
}

}  // namespace
}  // namespace pulse::names
