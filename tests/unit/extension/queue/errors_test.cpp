// The list of failed attempts in a job's row.
#include "queue/errors.hpp"

#include "json/slice.hpp"

#include <gtest/gtest.h>

namespace pulse::queue {
namespace {

TEST(Errors, TimesAreIsoInUtcWithMilliseconds) {
    EXPECT_EQ(iso_time(0), "2000-01-01T00:00:00.000Z");
    EXPECT_EQ(iso_time(848'580'245'678'912), "2026-11-21T12:44:05.678Z");
    EXPECT_EQ(iso_time(-1), "1999-12-31T23:59:59.999Z");
}

TEST(Errors, TheListGrowsAtItsEnd) {
    const std::string one = with_failure(std::nullopt, {1, "worker 1", 0, 1000, "boom \"x\"\n"});
    EXPECT_EQ(one, R"([{"attempt":1,"worker":"worker 1","startedAt":"2000-01-01T00:00:00.000Z","finishedAt":"2000-01-01T00:00:00.001Z",)"
                   R"("error":"boom \"x\"\n"}])");
    const std::string two = with_failure(one, {2, "", 0, 0, "again"});
    const auto elements = json::elements(two);
    ASSERT_TRUE(elements);
    ASSERT_EQ(elements->size(), 2U);
    EXPECT_EQ('[' + std::string((*elements)[0]) + ']', one);
    EXPECT_EQ(json::find(*json::members((*elements)[1]), "worker"), "null");
    for (const char *broken : {"", "null", "{}", "[", "[ ]"})
        EXPECT_EQ(json::elements(with_failure(broken, {1, "w", 0, 0, "e"}))->size(), 1U) << broken;
}

TEST(Errors, LongOnesAreCutAtACharacter) {
    EXPECT_EQ(short_error("short"), "short");
    std::string text(kMostErrorBytes - 1, 'x');
    text += "\xC3\xA9 and more";
    EXPECT_EQ(short_error(text).size(), kMostErrorBytes - 1);
    EXPECT_EQ(short_error(std::string(kMostErrorBytes, 'x')).size(), kMostErrorBytes);
}

}  // namespace
}  // namespace pulse::queue
