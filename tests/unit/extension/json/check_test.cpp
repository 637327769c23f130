// The JSON checker: what it accepts, what it leaves untouched, what it refuses and where.
#include "json/check.hpp"

#include <gtest/gtest.h>

namespace pulse::json {
namespace {

std::string compact(std::string_view text) {
    std::string out;
    const auto error = check(text, out);
    EXPECT_FALSE(error) << text << ": " << (error ? error->message : "");
    return out;
}

struct Refused {
    std::string text;
    size_t offset;
    std::string message;
};

TEST(JsonCheck, NamesThePlaceOfWhatItRefuses) {
    const Refused cases[] = {{"", 0, "empty text is no JSON"},
                             {" \n ", 3, "empty text is no JSON"},
                             {"{", 1, "expected a key in double quotes"},
                             {"[", 1, "unexpected end of JSON"},
                             {"[1", 2, "unexpected end of JSON"},
                             {"[1}", 2, "expected \",\" or \"]\""},
                             {R"({"a":1])", 6, "expected \",\" or \"}\""},
                             {"[1,]", 3, "unexpected character in JSON"},
                             {R"({"a":1,})", 7, "expected a key in double quotes"},
                             {"{1:2}", 1, "expected a key in double quotes"},
                             {R"({"a" 1})", 5, "expected \":\" after a key"},
                             {R"({"a"})", 4, "expected \":\" after a key"},
                             {"]", 0, "unexpected character in JSON"},
                             {"1 2", 2, "text after the end of the JSON value"},
                             {"{}}", 2, "text after the end of the JSON value"},
                             {"hello", 0, "unexpected character in JSON"},
                             {"tru", 0, "unexpected word in JSON"},
                             {"nul1", 0, "unexpected word in JSON"},
                             {"truex", 4, "text after the end of the JSON value"},
                             {"01", 1, "a number may not start with 0"},
                             {"-", 1, "expected a digit"},
                             {"+1", 0, "unexpected character in JSON"},
                             {"1.", 2, "expected a digit"},
                             {".5", 0, "unexpected character in JSON"},
                             {"1e", 2, "expected a digit"},
                             {"1e+", 3, "expected a digit"},
                             {"NaN", 0, "unexpected character in JSON"},
                             {"'a'", 0, "unexpected character in JSON"},
                             {"\"a", 2, "unexpected end of a string"},
                             {"\"a\\", 3, "unexpected end of a string"},
                             {R"("\x")", 2, "unknown escape in a string"},
                             {R"("\u12g4")", 5, "\\u must be followed by four hexadecimal digits"},
                             {R"("\u12)", 5, "\\u must be followed by four hexadecimal digits"},
                             {"\"a\nb\"", 2, "control character in a string must be escaped"},
                             {"\"\x1e\"", 1, "control character in a string must be escaped"},
                             {std::string("\"\0\"", 3), 1, "control character in a string must be escaped"},
                             {std::string("1\0", 2), 1, "text after the end of the JSON value"},
                             {"[1,\v2]", 3, "unexpected character in JSON"},
                             {"\xEF\xBB\xBF{}", 0, "unexpected character in JSON"}};
    for (const Refused &refused : cases) {
        std::string out;
        const auto error = check(refused.text, out);
        ASSERT_TRUE(error) << refused.text;
        EXPECT_EQ(error->offset, refused.offset) << refused.text << ": " << error->message;
        EXPECT_EQ(error->message, refused.message) << refused.text;
    }
}

TEST(JsonCheck, TakesOutWhiteSpaceOutsideStringsOnly) {
    EXPECT_EQ(compact(" { \"a b\" :\t[ 1 ,\r\n 2 , \" x  y \" ] , \"c\":{ } , \"d\":[ ] } "), R"({"a b":[1,2," x  y "],"c":{},"d":[]})");
}

TEST(JsonCheck, LeavesOrderNumbersEscapesAndDuplicateKeys) {
    for (std::string text :
         {R"({"b":1.50,"a":-0,"a":1E+5,"c":0.1e-7,"d":12345678901234567890123})", R"("\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\\u0000")",
          R"("é😀𝄞")", R"("\ud800")", R"("\udc00x")", "true", "false", "null", "0", "-1", "\"\"", "[[],{},[{}]]"})
        EXPECT_EQ(compact(text), text);
}

TEST(JsonCheck, AppendsToWhatIsThere) {
    std::string out = "payload:";
    EXPECT_FALSE(check(" [1] ", out));
    EXPECT_EQ(out, "payload:[1]");
}

TEST(JsonCheck, BoundsTheDepthAndNeverTheStack) {
    const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    std::string out;
    EXPECT_FALSE(check(nested(kMaxDepth), out));
    const auto error = check(nested(kMaxDepth + 1), out);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->offset, kMaxDepth);
    ASSERT_TRUE(check(std::string(10'000'000, '['), out));
}

TEST(JsonCheck, AnyCutOfAValueIsRefusedWithoutReadingPastIt) {
    const std::string whole = R"({"a":[1.5e3,true,{"b":"\ud83d\u00e9"}],"c":null})";
    for (size_t length = 0; length < whole.size(); ++length) {
        const std::string exact(whole, 0, length);  // its own allocation: the sanitizer sees one byte too far
        std::string out;
        const auto error = check(std::string_view(exact.data(), exact.size()), out);
        ASSERT_TRUE(error) << exact;
        EXPECT_LE(error->offset, length);
    }
}

}  // namespace
}  // namespace pulse::json
