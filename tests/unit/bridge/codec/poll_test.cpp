// Lines that the hub shares become one answer.
#include "codec/poll.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace bridge::codec::poll {
namespace {

std::string numbered(int from, int to) {
    std::string lines;
    for (int n = from; n <= to; ++n) {
        const std::string position = "e:" + std::to_string(n), args = std::to_string(n);
        lines += line({.name = R"("e")", .args = args, .room = "r", .position = position, .id = {}, .attachments = {}});
    }
    return lines;
}

TEST(PollCodec, M1AnAnswerHasTheEventsAsTheNativeProtocolWritesThem) {
    const std::vector<std::string> bytes{"ab"};
    const std::string lines =
        line({.name = R"("n")", .args = R"({"x":"a b"})", .room = "q\"", .position = "e:7", .id = {}, .attachments = bytes});
    const Answer out = answer(lines, "e:9");
    EXPECT_EQ(out.body,
              R"({"events":[{"event":"n","args":[{"x":"a b"}],"room":"q\"","position":"e:7","attachments":["YWI="]}],"cursor":"e:9"})");
    EXPECT_EQ(out.cursor, "e:9");
    EXPECT_EQ(answer("", "e:3").body, R"({"events":[],"cursor":"e:3"})");
}

TEST(PollCodec, GivesNoMoreThanTheLimitsAndSaysWhereToGoOn) {
    const std::string lines = numbered(1, 10);
    const Answer few = answer(lines, "e:99", {.events = 3, .bytes = 1'000'000});
    EXPECT_EQ(few.events, 3U);
    EXPECT_EQ(few.cursor, "e:3");
    const auto tree = json::parse(few.body);
    ASSERT_TRUE(tree);
    EXPECT_EQ((*tree)["events"].size(), 3U);
    EXPECT_EQ((*tree)["cursor"], "e:3");
    const Answer small = answer(lines, "e:99", {.events = 1000, .bytes = 150});
    EXPECT_LT(small.events, 10U);
    EXPECT_EQ(small.cursor, "e:" + std::to_string(small.events));
    EXPECT_EQ(answer(lines, "e:99", {.events = 10, .bytes = 1'000'000}).cursor, "e:99") << "all of them: where the session stands";
    EXPECT_EQ(answer(lines, "e:99", {.events = 1000, .bytes = 1}).events, 1U) << "one that is too large goes alone, or it would never go";
}

TEST(PollCodec, MustRefetchNamesTheReasonAndAFreshCursor) {
    const auto tree = json::parse(must_refetch("expired", "e:9"));
    ASSERT_TRUE(tree);
    EXPECT_EQ((*tree)["error"]["code"], "must_refetch");
    EXPECT_EQ((*tree)["error"]["reason"], "expired");
    EXPECT_EQ((*tree)["cursor"], "e:9");
}

}  // namespace
}  // namespace bridge::codec::poll
