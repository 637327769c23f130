// Values inside room names: encoded, they reach no other room; decoded, they are themselves again.
#include "names/room_value.hpp"

#include <gtest/gtest.h>

namespace pulse::names {
namespace {

using namespace std::literals;

std::string room_value(std::string_view value) {
    std::string out;
    append_room_value(out, value);
    return out;
}

TEST(RoomValue, EncodesWhatWouldReachAnotherRoom) {
    EXPECT_EQ(room_value("7:requester"), "7%3Arequester");
    EXPECT_EQ(room_value("100%"), "100%25");
    EXPECT_EQ(room_value("%3A"), "%253A");
    EXPECT_EQ(room_value(std::string("\0\t\n\x1e\x7f", 5)), "%00%09%0A%1E%7F");
}

TEST(RoomValue, LeavesEverythingElse) { EXPECT_EQ(room_value("é 😀\"/{}\\"), "é 😀\"/{}\\"); }

TEST(RoomValue, DecodesWhatItEncoded) {
    for (const auto value : {"7"sv, "a:b"sv, "100%"sv, "%3A"sv, "\t\n\x1e\x7f"sv, "é 😀"sv})
        EXPECT_EQ(decode_room_value(room_value(value)), value);
    EXPECT_EQ(decode_room_value("%3a%3A"), "::");
}

TEST(RoomValue, RefusesWhatIsNoEncoding) {
    for (const auto bad : {"%"sv, "%3"sv, "50%"sv, "%zz"sv, "%00"sv, "%ff"sv, "%C3"sv, "%ED%A0%80"sv, "\xff"sv})
        EXPECT_FALSE(decode_room_value(bad)) << bad;
}

TEST(Utf8, IsChecked) {
    for (const auto good : {""sv, "a"sv, "é"sv, "€"sv, "😀"sv, "\xF4\x8F\xBF\xBF"sv}) EXPECT_TRUE(is_utf8(good)) << good;
    for (const auto bad : {"\x80"sv, "\xC0\x80"sv, "\xC3"sv, "\xE0\x80\x80"sv, "\xED\xA0\x80"sv, "\xF0\x80\x80\x80"sv, "\xF4\x90\x80\x80"sv,
                           "\xFF"sv, "a\xE2\x82"sv})
        EXPECT_FALSE(is_utf8(bad));
}

}  // namespace
}  // namespace pulse::names
