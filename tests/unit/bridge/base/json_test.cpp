// JSON as the bridge sees it: what is accepted, what stays byte for byte, what is bounded.
#include "base/json.hpp"

#include <random>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace bridge::json {
namespace {

using testing::ElementsAre;

TEST(Scan, AcceptsWhatTheGrammarAllows) {
    for (const char *text :
         {"null", "true", "false", "0", "-0", "-1.5e+10", "1E5", "\"\"", "\"a\\u0000\\n\\/\"", "[]", "{}", " [ 1 , [ ] , { } ] ",
          "{\"a\":{\"b\":[{}]},\"c\":null}", "\"\xf0\x9f\x98\x80\"", "[[[]]]", "\"\\ud800\"", "\t\n\r 1 \n"}) {
        EXPECT_TRUE(scan(text)) << text;
    }
}

TEST(Scan, RefusesWhatTheGrammarDoesNot) {
    for (const char *text : {"",
                             " ",
                             "nul",
                             "truefalse",
                             "01",
                             "1.",
                             ".5",
                             "1e",
                             "+1",
                             "--1",
                             "\"",
                             "\"\\x\"",
                             "\"\\u12\"",
                             "\"\\u12g4\"",
                             "\"\t\"",
                             "[",
                             "]",
                             "[1",
                             "[1,]",
                             "[,1]",
                             "[1 2]",
                             "{",
                             "{]",
                             "[}",
                             "{\"a\"}",
                             "{\"a\":}",
                             "{\"a\":1,}",
                             "{a:1}",
                             "{1:1}",
                             "{\"a\" 1}",
                             "1 2",
                             "[]]",
                             "\xef\xbb\xbf[]",
                             "NaN",
                             "Infinity",
                             "'a'",
                             "//\n1",
                             "\"\x80\"",
                             "\"\xc0\xaf\"",
                             "\"\xed\xa0\x80\"",
                             "\"\xf4\x90\x80\x80\"",
                             "\"\xe2\x82\""}) {
        EXPECT_FALSE(scan(text)) << text;
    }
}

TEST(Scan, TellsTheKindOfTheValue) {
    EXPECT_EQ(*scan(" {}"), Kind::object);
    EXPECT_EQ(*scan("[]"), Kind::array);
    EXPECT_EQ(*scan("\"x\""), Kind::string);
    EXPECT_EQ(*scan("-1"), Kind::number);
    EXPECT_EQ(*scan("true"), Kind::boolean);
    EXPECT_EQ(*scan("null"), Kind::null);
}

TEST(Scan, IsBoundedInDepthAndSize) {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_TRUE(scan(nested(64)));
    EXPECT_FALSE(scan(nested(65)));
    EXPECT_FALSE(scan(std::string(900'000, '[')));
    EXPECT_TRUE(scan("[1,2]", {5, 64, false}));
    EXPECT_FALSE(scan("[1,2]", {4, 64, false}));
}

TEST(Scan, FindsDuplicateKeysAtEveryLevelWhateverTheirSpelling) {
    const Limits strict{1000, 64, true};
    EXPECT_FALSE(scan(R"({"a":1,"a":2})", strict));
    EXPECT_FALSE(scan(R"({"a":1,"\u0061":2})", strict));
    EXPECT_FALSE(scan(R"([{"x":{"a":1,"b":2,"a":3}}])", strict));
    EXPECT_TRUE(scan(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]})", strict));
    EXPECT_TRUE(scan(R"({"a":1,"a":2})"));
}

// Random mutations of a document: whatever nlohmann accepts we accept, and the reverse, but for lone surrogates (passed on, not
// understood).
TEST(Scan, AgreesWithNlohmannOnRandomText) {
    const std::string seed = R"( {"a":[1,-2.5e3,"x\"\\\u00e9😀",null,true],"b":{"c":{}},"d":"\u20ac"} )";
    const std::string alphabet = "{}[]\":,0129.eE+-\\u \ntrufalsn\x80\xc3\xa9";
    std::mt19937 random(20240229);
    for (int i = 0; i < 200'000; ++i) {
        std::string text = seed;
        for (int edits = 1 + static_cast<int>(random() % 4); edits > 0; --edits) {
            const std::size_t at = random() % text.size();
            switch (random() % 3) {
                case 0: text[at] = alphabet[random() % alphabet.size()]; break;
                case 1: text.erase(at, 1 + random() % 5); break;
                default: text.insert(at, 1, alphabet[random() % alphabet.size()]);
            }
            if (text.empty()) text = " ";
        }
        if (text.find("\\ud") != std::string::npos || text.find("\\uD") != std::string::npos) continue;
        ASSERT_EQ(scan(text).has_value(), Value::accept(text)) << text;
    }
}

TEST(Parse, GivesATreeOrAnErrorAndNeverThrows) {
    const auto tree = parse(R"({"a":[1,2]})");
    ASSERT_TRUE(tree);
    EXPECT_EQ((*tree)["a"][1], 2);
    EXPECT_EQ(parse("{").error().code, Errc::bad_request);
    EXPECT_FALSE(parse(R"("\ud800")"));
    EXPECT_FALSE(parse("1e999"));
}

TEST(Elements, AreTheRawTextOfEachElement) {
    const auto found = elements(R"( [ 1.50 ,"a,b" , {"z" : 1, "a": [2]},[ ], -0 ] )");
    ASSERT_TRUE(found);
    EXPECT_THAT(*found, ElementsAre("1.50", "\"a,b\"", R"({"z" : 1, "a": [2]})", "[ ]", "-0"));
    EXPECT_TRUE(elements("[]")->empty());
}

TEST(Elements, RefusesOtherKindsAndTooMany) {
    EXPECT_FALSE(elements("{}"));
    EXPECT_FALSE(elements("[1"));
    EXPECT_TRUE(elements("[1,2,3]", {}, 3));
    EXPECT_FALSE(elements("[1,2,3]", {}, 2));
}

TEST(Members, GiveDecodedKeysAndRawValues) {
    const auto found = members(R"({ "a\u0062" : 1.0 , "" : {"x":[1]}, "é":"\n"})");
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 3U);
    EXPECT_EQ((*found)[0].key, "ab");
    EXPECT_EQ((*found)[0].value, "1.0");
    EXPECT_EQ((*found)[1].key, "");
    EXPECT_EQ((*found)[1].value, R"({"x":[1]})");
    EXPECT_EQ((*found)[2].key, "é");
    EXPECT_EQ((*found)[2].value, R"("\n")");
}

TEST(Members, KeepTheirKeyWhateverIsInTheirValue) {
    const auto found = members(R"({"a":{"x":{"y":1}},"b":[{"z":1},[]],"c":{},"d":[]})");
    ASSERT_TRUE(found);
    std::string keys;
    for (const Member &member : *found) keys += member.key;
    EXPECT_EQ(keys, "abcd");
}

TEST(Members, RefuseDuplicatesAndOtherKinds) {
    EXPECT_FALSE(members(R"({"a":1,"a":1})"));
    EXPECT_EQ(members(R"({"a":1,"b":{"c":1,"c":2}})", {}, 10, DuplicateKeys::kept)->size(), 2U);
    EXPECT_FALSE(members("[]"));
    EXPECT_FALSE(members(R"({"a":1,"b":2})", {}, 1));
}

TEST(Unquote, DecodesEveryEscape) {
    EXPECT_EQ(*unquote(R"("a\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00")"), "a\"\\/\b\f\n\r\té€😀");
    EXPECT_EQ(*unquote("\"\""), "");
    EXPECT_EQ(unquote(R"("\u0000")")->size(), 1U);
}

TEST(Unquote, RefusesLoneSurrogatesAndNonStrings) {
    for (const char *text : {R"("\ud83d")", R"("\ude00")", R"("\ud83dx")", R"("\ud83d\u0041")", "abc", "\"a", "\"a\"b", "1", ""}) {
        EXPECT_FALSE(unquote(text)) << text;
    }
}

TEST(Quote, EscapesEveryControlCharacterAndComesBack) {
    EXPECT_EQ(quote("a\"\\\x1e\x7f\n"), R"("a\"\\\u001e\u007f\n")");
    std::string all;
    for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
    all += "é€😀";
    const std::string literal = quote(all);
    EXPECT_EQ(*unquote(literal), all);
    EXPECT_EQ(Value::parse(literal).get<std::string>(), all);
    for (const char c : literal) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

}  // namespace
}  // namespace bridge::json
