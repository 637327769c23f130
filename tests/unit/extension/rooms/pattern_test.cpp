// Room patterns: which rooms they match, with which values, and which of two decides.
#include "rooms/pattern.hpp"

#include "names/room_value.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace std::literals;
using pulse::rooms::Pattern;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

namespace {

Pattern pattern(std::string_view text) {
    auto parsed = Pattern::parse(text);
    EXPECT_TRUE(parsed.pattern) << text << ": " << parsed.error;
    return parsed.pattern ? std::move(*parsed.pattern) : *Pattern::parse("none").pattern;
}
std::optional<Pattern::Params> match(std::string_view text, std::string_view room) { return pattern(text).match(room); }
std::string error(std::string_view text) {
    auto parsed = Pattern::parse(text);
    EXPECT_FALSE(parsed.pattern) << text;
    return parsed.error;
}

TEST(Pattern, MatchesLiteralText) {
    EXPECT_THAT(*match("desks:open", "desks:open"), IsEmpty());
    EXPECT_FALSE(match("desks:open", "desks:open:"));
    EXPECT_FALSE(match("desks:open", "desks:ope"));
    EXPECT_FALSE(match("desks:open", "desks"));
    EXPECT_FALSE(match("desks", "desks:open"));
    EXPECT_FALSE(match("desks", ""));
}

TEST(Pattern, GivesTheValuesOfPlaceholdersInOrder) {
    EXPECT_THAT(*match("org:{org}:desk:{desk_2}", "org:a:desk:b c"), ElementsAre(Pair("org", "a"), Pair("desk_2", "b c")));
    EXPECT_THAT(*match("{x}", "anything"), ElementsAre(Pair("x", "anything")));
}

TEST(Pattern, APlaceholderNeverMatchesAColonAndIsNotEmpty) {
    EXPECT_FALSE(match("order:{id}", "order:7:owner"));
    EXPECT_FALSE(match("order:{id}", "order:"));
    EXPECT_FALSE(match("order:{id}", "order"));
    EXPECT_FALSE(match("order:{id}:owner", "order::owner"));
    EXPECT_FALSE(match("{id}", ""));
    EXPECT_FALSE(match("{id}", "a:b"));
}

TEST(Pattern, TextMayStandAroundAPlaceholder) {
    EXPECT_THAT(*match("pre-{id}-post:x", "pre-7-post:x"), ElementsAre(Pair("id", "7")));
    EXPECT_THAT(*match("aa{id}aa", "aaaaa"), ElementsAre(Pair("id", "a")));
    EXPECT_FALSE(match("aa{id}aa", "aaaa")) << "prefix and suffix do not overlap";
    EXPECT_FALSE(match("aa{id}aa", "aaa"));
    EXPECT_FALSE(match("pre-{id}", "pre-"));
}

TEST(Pattern, BracesAreEscapedByDoubling) {
    EXPECT_TRUE(match("a{{b}}c", "a{b}c"));
    EXPECT_FALSE(match("a{{b}}c", "a{{b}}c"));
    EXPECT_THAT(*match("{{{id}}}", "{7}"), ElementsAre(Pair("id", "7")));
}

TEST(Pattern, SaysWhatIsWrong) {
    EXPECT_THAT(error(""), HasSubstr("empty"));
    EXPECT_THAT(error(std::string(256, 'x')), HasSubstr("255"));
    EXPECT_THAT(error("a:{id"), HasSubstr("'{' without"));
    EXPECT_THAT(error("a:id}"), HasSubstr("'}' without"));
    EXPECT_THAT(error("{"), HasSubstr("'{' without"));
    EXPECT_THAT(error("}"), HasSubstr("'}' without"));
    EXPECT_THAT(error("{}"), HasSubstr("name of a placeholder"));
    EXPECT_THAT(error("{1a}"), HasSubstr("name of a placeholder"));
    EXPECT_THAT(error("{a b}"), HasSubstr("name of a placeholder"));
    EXPECT_THAT(error("{a:b}"), HasSubstr("name of a placeholder"));
    EXPECT_THAT(error("{a}:{a}"), HasSubstr("\"a\" stands twice"));
    EXPECT_THAT(error("{a}{b}"), HasSubstr("':' between"));
    EXPECT_THAT(error("{a}-{b}"), HasSubstr("':' between"));
}

TEST(Pattern, ValuesArePercentDecoded) {
    EXPECT_THAT(*match("order:{id}", "order:a%3Ab%25%0A"), ElementsAre(Pair("id", "a:b%\n")));
    EXPECT_THAT(*match("order:{id}", "order:%3a"), ElementsAre(Pair("id", ":")));
    for (const auto *bad : {"order:%", "order:%3", "order:50%", "order:%zz", "order:%00", "order:%ff", "order:%C3", "order:%ED%A0%80"})
        EXPECT_FALSE(match("order:{id}", bad)) << bad;
    EXPECT_TRUE(match("sale:50%", "sale:50%")) << "literal text is not decoded";
}

TEST(Pattern, EncodingAValueAndMatchingItGivesItBack) {
    for (const auto value : {"x"sv, "a:b"sv, "100%"sv, "%3A"sv, "\t\n\x1e\x7f"sv, "q\"'\\{}"sv, "héllo😀"sv, " "sv}) {
        std::string encoded;
        pulse::names::append_room_value(encoded, value);
        EXPECT_EQ(encoded.find(':'), std::string::npos);
        EXPECT_THAT(*match("order:{id}:x", "order:" + encoded + ":x"), ElementsAre(Pair("id", value)));
    }
}

TEST(Pattern, MoreLiteralTextDecidesThenFewerPlaceholders) {
    const auto before = [](std::string_view a, std::string_view b) { return pattern(a).compare_specificity(pattern(b)) < 0; };
    EXPECT_TRUE(before("order:7", "order:{id}"));
    EXPECT_FALSE(before("order:{id}", "order:7"));
    EXPECT_TRUE(before("order:{id}:owner", "order:{id}:{part}"));
    EXPECT_TRUE(before("abcd:{x}", "abc:{x}:{y}")) << "equal literal bytes, fewer placeholders";
    EXPECT_FALSE(before("abc:{x}:{y}", "abcd:{x}"));
    EXPECT_EQ(pattern("a:{x}").compare_specificity(pattern("a:{y}")), 0);
    EXPECT_EQ(pattern("a{{").literal_bytes(), 2u) << "an escaped brace is one byte";
}

TEST(Pattern, TheBridgeAnswersSomeEventsItself) {
    EXPECT_TRUE(pulse::rooms::answered_by_bridge("room:join"));
    EXPECT_FALSE(pulse::rooms::answered_by_bridge("room:joined"));
}

}  // namespace
