// Slices of JSON text: whatever the bytes, an answer or nullopt, and never a read past the end (the sanitizers look).
#include "json/slice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace json = pulse::json;
using namespace std::literals;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

std::vector<std::string> keys(std::string_view object) {
    std::vector<std::string> result;
    for (const auto &member : json::members(object).value_or(std::vector<json::Member>{})) result.push_back(member.key);
    return result;
}

TEST(Slice, AnObjectHasMembersInOrder) {
    const auto members = json::members(R"( { "a" : 1.50 , "b":{"x":[1,"]}"]} ,"c":"\"}" } )");
    ASSERT_TRUE(members);
    ASSERT_EQ(members->size(), 3u);
    EXPECT_EQ((*members)[0].value, "1.50");
    EXPECT_EQ((*members)[1].value, R"({"x":[1,"]}"]})");
    EXPECT_EQ((*members)[2].value, R"("\"}")");
    EXPECT_THAT(keys("{}"), IsEmpty());
    EXPECT_TRUE(json::members(" {\t} "));
}

TEST(Slice, TheLastOfEqualKeysCounts) {
    const auto members = json::members(R"({"a":1,"\u0061":2})");
    EXPECT_EQ(json::find(*members, "a"), "2");
    EXPECT_EQ(json::find(*members, "b"), std::nullopt);
}

TEST(Slice, AKeyThatNoTextCanHoldIsLeftOut) { EXPECT_THAT(keys(R"({"a\u0000":1,"b":2})"), ElementsAre("b")); }

TEST(Slice, AnArrayHasElements) {
    EXPECT_THAT(*json::elements(R"([1, "a,]" ,[2,[3]],{"k":[]},null])"), ElementsAre("1", R"("a,]")", "[2,[3]]", R"({"k":[]})", "null"));
    EXPECT_THAT(*json::elements("[]"), IsEmpty());
    EXPECT_THAT(*json::elements("\n[ ]"), IsEmpty());
}

TEST(Slice, WhatIsNoJsonIsRefused) {
    for (const auto bad : {""sv, " "sv, "{"sv, "}"sv, "["sv, "[1"sv, "[1,"sv, "[1,]"sv, "[,1]"sv, "[1 2]"sv, "[1]]"sv, "[\"a]"sv,
                           "[\"a\\\"]"sv, "[[1]"sv, "[{]"sv, "x"sv, "[1]x"sv})
        EXPECT_FALSE(json::elements(bad)) << bad;
    for (const auto bad : {""sv, "{"sv, "{1:2}"sv, "{\"a\"}"sv, "{\"a\":}"sv, "{\"a\":1,}"sv, "{\"a\":1 \"b\":2}"sv, "{\"a\" 1}"sv,
                           "{\"a:1}"sv, "[]"sv, "{}}"sv, "{\"a\":1}x"sv, "{\"a\":"sv, "{\"a"sv})
        EXPECT_FALSE(json::members(bad)) << bad;
}

TEST(Slice, DeepNestingTakesNoStack) {
    const std::string deep = "[" + std::string(1000000, '[') + std::string(1000000, ']') + "]";
    ASSERT_TRUE(json::elements(deep));
    EXPECT_EQ(json::elements(deep)->size(), 1u);
    EXPECT_FALSE(json::elements(std::string(1000000, '[')));
}

TEST(Slice, EveryTruncationIsHandled) {
    const std::string whole = R"({"a":[1,{"b":"c\u00e9\ud83d\ude00\\"}],"d":"\n"})";
    for (std::size_t length = 0; length < whole.size(); ++length) EXPECT_FALSE(json::members(std::string(whole, 0, length))) << length;
    EXPECT_TRUE(json::members(whole));
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (const char byte : {'"', '\\', '{', '}', '[', ']', ',', ':', '\0', 'u'}) {
            std::string changed = whole;
            changed[at] = byte;
            const auto members = json::members(changed);  // any answer, no crash
            if (members)
                for (const auto &member : *members) (void)json::unescape(member.value);
            (void)json::compact(changed);
        }
}

TEST(Slice, StringsAreUnescaped) {
    EXPECT_EQ(json::unescape(R"("a\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00")"), "a\"\\/\b\f\n\r\tAé€😀");
    EXPECT_EQ(json::unescape(R"("")"), "");
    for (const auto bad : {R"(")"sv, R"(a)"sv, R"("\u0000")"sv, R"("\ud83d")"sv, R"("\ud83dx")"sv, R"("\ud83d\u0041")"sv, R"("\ude00")"sv,
                           R"("\x")"sv, R"("\u12")"sv, R"("\u12G4")"sv, R"("\")"sv, R"("a"b")"sv, "1"sv, "null"sv, ""sv})
        EXPECT_FALSE(json::unescape(bad)) << bad;
}

TEST(Slice, QuotingAndUnescapingGivesTheTextBack) {
    std::string all;
    for (int c = 1; c < 128; ++c) all += static_cast<char>(c);
    all += "é€😀";
    EXPECT_EQ(json::unescape(json::quoted(all)), all);
    EXPECT_EQ(json::quoted("a\x1e\"\\\n"), R"("a\u001e\"\\\n")");
    for (const char c : json::quoted(all)) EXPECT_GE(static_cast<unsigned char>(c), 0x20u) << "no raw control character";
}

TEST(Slice, CompactTakesOutWhiteSpaceOutsideStrings) {
    EXPECT_EQ(json::compact(" { \"a b\" :\t[ 1 , \" \\\" x \" ]\r\n} "), R"({"a b":[1," \" x "]})");
    EXPECT_EQ(json::compact(R"("\\" )"), R"("\\")");
}

TEST(Slice, AnEscapeThatNoTextCanHoldIsSeen) {
    for (const auto bad : {R"("\u0000")"sv, R"(["a",{"b\u0000":1}])"sv, R"("\ud83d")"sv, R"("\ud83dx")"sv, R"("\uD83D\n")"sv,
                           R"("\ud83d\u0041")"sv, R"("\ude00")"sv, R"("\\\u0000")"sv, R"("\ud83d\)"sv, R"("\ud83d\u)"sv})
        EXPECT_TRUE(json::has_unreadable_escape(bad)) << bad;
    for (const auto good :
         {R"("\\u0000")"sv, R"("\ud83d\ude00")"sv, R"("\u0001\n\"")"sv, R"({"a":[1,"é"]})"sv, ""sv, R"(")"sv, R"("\)"sv, R"("\u)"sv})
        EXPECT_FALSE(json::has_unreadable_escape(good)) << good;
}

TEST(Slice, KindIsToldByTheFirstCharacter) {
    EXPECT_EQ(json::kind(" {}"), json::Kind::kObject);
    EXPECT_EQ(json::kind("[]"), json::Kind::kArray);
    EXPECT_EQ(json::kind("\"x\""), json::Kind::kString);
    EXPECT_EQ(json::kind("-1"), json::Kind::kNumber);
    EXPECT_EQ(json::kind("true"), json::Kind::kBoolean);
    EXPECT_EQ(json::kind("null"), json::Kind::kNull);
    EXPECT_EQ(json::kind(" "), json::Kind::kInvalid);
    EXPECT_EQ(json::kind("+"), json::Kind::kInvalid);
}

}  // namespace
