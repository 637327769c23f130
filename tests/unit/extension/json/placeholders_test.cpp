// Where binary values stand in JSON, as a client's parser finds them.
#include "json/placeholders.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

using pulse::json::placeholders;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

// The numbers, -1 for none; each checked against the text at its place.
std::vector<int> numbers(const std::string &text) {
    std::vector<int> out;
    for (const auto &found : placeholders(text)) {
        if (found.num) {
            EXPECT_EQ(text.substr(found.at, found.size), std::to_string(*found.num)) << text;
        }
        out.push_back(found.num ? static_cast<int>(*found.num) : -1);
    }
    return out;
}

TEST(Placeholders, AreFoundWhereverTheyStand) {
    EXPECT_THAT(numbers(R"({"_placeholder":true,"num":0})"), ElementsAre(0));
    EXPECT_THAT(numbers(R"([ { "num" : 12 , "_placeholder" : true , "more" : [ 1 ] } ])"), ElementsAre(12));
    EXPECT_THAT(numbers(R"({"a":[{"b":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}],"c":{"_placeholder":true,"num":1}})"),
                ElementsAre(1, 0, 1));
    EXPECT_THAT(numbers(R"({"_placeholder":true,"num":0,"in":{"_placeholder":true,"num":1}})"), ElementsAre(0, 1));
    EXPECT_THAT(numbers(R"({"\u005fplaceholder":true,"n\u0075m":3})"), ElementsAre(3));
}

TEST(Placeholders, OrdinaryDataIsNone) {
    for (const char *text :
         {"", "1", "\"x\"", "[]", "{}", R"({"_placeholder":false,"num":0})", R"({"_placeholder":"true","num":0})", R"({"_placeholder":1})",
          R"(["_placeholder",true,"num",0])", R"({"text":"{\"_placeholder\":true,\"num\":0}"})", R"({"_placeholder":[true],"num":0})",
          R"({"a":"_placeholder","b":true})", R"({"_placeholder":{"x":true}})", R"({"\"_placeholder":true})"})
        EXPECT_THAT(numbers(text), IsEmpty()) << text;
}

TEST(Placeholders, WithoutAPlainNumberNameNothing) {
    for (const char *num : {"-1", "1.0", "1e0", "\"0\"", "null", "[0]", "{}", "99999999999999999999999"})
        EXPECT_THAT(numbers(R"({"_placeholder":true,"num":)" + std::string(num) + "}"), ElementsAre(-1)) << num;
    EXPECT_THAT(numbers(R"({"_placeholder":true})"), ElementsAre(-1));
}

TEST(Placeholders, OfARepeatedKeyTheLastCounts) {
    EXPECT_THAT(numbers(R"({"_placeholder":false,"num":1,"_placeholder":true,"num":2})"), ElementsAre(2));
    EXPECT_THAT(numbers(R"({"_placeholder":true,"num":1,"_placeholder":false})"), IsEmpty());
    EXPECT_THAT(numbers(R"({"_placeholder":true,"num":1,"num":[]})"), ElementsAre(-1));
}

TEST(Placeholders, DeepNestingAndBrokenTextEnd) {
    const std::string deep = std::string(100'000, '[') + R"({"_placeholder":true,"num":0})" + std::string(100'000, ']');
    EXPECT_THAT(numbers(deep), ElementsAre(0));
    const std::string whole = R"([{"a\"b":[1,{"_placeholder":true,"num":0}]},"x\\"])";
    for (std::size_t n = 0; n < whole.size(); ++n) (void)placeholders(std::string_view(whole).substr(0, n));
    for (std::size_t n = 0; n < whole.size(); ++n) (void)placeholders(std::string_view(whole).substr(n));
}

}  // namespace
