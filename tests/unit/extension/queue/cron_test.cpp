// Expressions, their refusals, and what clocks that change do to them.
#include "queue/cron.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace pulse::queue {
namespace {

using namespace std::chrono;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Seconds at(int year, unsigned month, unsigned day, int h = 0, int m = 0, int s = 0) {
    return sys_days(year_month_day(std::chrono::year(year), std::chrono::month(month), std::chrono::day(day))).time_since_epoch() / 1s +
           h * 3600 + m * 60 + s;
}

Offset utc(Seconds) { return {0, std::nullopt}; }

// Berlin in 2026: one hour ahead, two from 29 March 01:00 UTC to 25 October 01:00 UTC.
Offset berlin(Seconds moment) {
    const Seconds spring = at(2026, 3, 29, 1), autumn = at(2026, 10, 25, 1);
    if (moment < spring) return {3600, spring, 7200};
    if (moment < autumn) return {7200, autumn, 3600};
    return {3600, std::nullopt};
}

Cron cron(std::string_view text) {
    std::string why;
    auto parsed = Cron::parse(text, why);
    EXPECT_TRUE(parsed) << text << ": " << why;
    return parsed.value_or(Cron());
}

std::vector<Seconds> runs(std::string_view text, Seconds after, int count, const Zone &zone = utc) {
    const Cron parsed = cron(text);
    std::vector<Seconds> all;
    for (auto next = parsed.next(after, zone); next && count > 0; next = parsed.next(*next, zone), --count) all.push_back(*next);
    return all;
}

std::string refused(std::string_view text) {
    std::string why;
    EXPECT_FALSE(Cron::parse(text, why)) << text;
    return why;
}

TEST(Cron, FindsTheNextMinuteHourAndDay) {
    EXPECT_THAT(runs("*/20 * * * *", at(2026, 11, 21, 10, 5), 3),
                ElementsAre(at(2026, 11, 21, 10, 20), at(2026, 11, 21, 10, 40), at(2026, 11, 21, 11)));
    EXPECT_THAT(runs("30 8 * * MON-FRI", at(2026, 11, 20, 8, 30), 2), ElementsAre(at(2026, 11, 23, 8, 30), at(2026, 11, 24, 8, 30)));
    EXPECT_THAT(runs("0 0 1 jan,JUL *", at(2026, 7, 1), 2), ElementsAre(at(2027, 1, 1), at(2027, 7, 1)));
    EXPECT_THAT(runs("10/20 9-10 * * *", at(2026, 1, 1), 4),
                ElementsAre(at(2026, 1, 1, 9, 10), at(2026, 1, 1, 9, 30), at(2026, 1, 1, 9, 50), at(2026, 1, 1, 10, 10)));
}

TEST(Cron, ASixthFieldIsTheSecond) {
    EXPECT_THAT(runs("*/15 * * * * *", at(2026, 1, 1, 0, 0, 50), 3),
                ElementsAre(at(2026, 1, 1, 0, 1), at(2026, 1, 1, 0, 1, 15), at(2026, 1, 1, 0, 1, 30)));
    EXPECT_THAT(runs("5 0 12 * * *", at(2026, 1, 1, 12, 0, 5), 1), ElementsAre(at(2026, 1, 2, 12, 0, 5)));
}

TEST(Cron, EitherDayFieldIsMeantWhenBothAreRestricted) {
    EXPECT_THAT(runs("0 0 13 * FRI", at(2026, 11, 1), 3), ElementsAre(at(2026, 11, 6), at(2026, 11, 13), at(2026, 11, 20)));
    EXPECT_THAT(runs("0 0 */10 * 1", at(2026, 11, 1), 1), ElementsAre(at(2026, 12, 21)));  // a step of * needs both, as there
}

TEST(Cron, SevenIsSundayAndLTheLastDay) {
    EXPECT_EQ(runs("0 0 * * 7", at(2026, 11, 21), 1), runs("0 0 * * sun", at(2026, 11, 21), 1));
    EXPECT_THAT(runs("0 0 L * *", at(2028, 1, 1), 3), ElementsAre(at(2028, 1, 31), at(2028, 2, 29), at(2028, 3, 31)));
    EXPECT_THAT(runs("0 0 29 2 *", at(2026, 1, 1), 2), ElementsAre(at(2028, 2, 29), at(2032, 2, 29)));
}

TEST(Cron, WordsStandForExpressions) {
    EXPECT_EQ(runs("@hourly", 0, 3), runs("0 * * * *", 0, 3));
    EXPECT_EQ(runs("@Daily", 0, 3), runs("0 0 * * *", 0, 3));
    EXPECT_EQ(runs("@weekly", 0, 3), runs("0 0 * * 0", 0, 3));
    EXPECT_EQ(runs("@monthly", 0, 3), runs("0 0 1 * *", 0, 3));
    EXPECT_EQ(runs("@yearly", 0, 3), runs("0 0 1 1 *", 0, 3));
}

TEST(Cron, ADayThatNeverComesHasNoNext) { EXPECT_EQ(cron("0 0 30 2 *").next(0, utc), std::nullopt); }

TEST(Cron, TimesBefore1970AreFoundToo) { EXPECT_THAT(runs("0 12 * * *", at(1969, 12, 30, 13), 1), ElementsAre(at(1969, 12, 31, 12))); }

TEST(Cron, RefusesWithWordsThatHelp) {
    EXPECT_THAT(refused(""), HasSubstr("0 fields"));
    EXPECT_THAT(refused("* * * *"), HasSubstr("4 fields"));
    EXPECT_THAT(refused("60 * * * *"), HasSubstr("\"60\" is no minute: 0 to 59"));
    EXPECT_THAT(refused("* 24 * * *"), HasSubstr("hour"));
    EXPECT_THAT(refused("* * 0 * *"), HasSubstr("L, the last day"));
    EXPECT_THAT(refused("* * * 13 *"), HasSubstr("JAN to DEC"));
    EXPECT_THAT(refused("* * * * 8"), HasSubstr("SUN to SAT"));
    for (const auto *bad : {"5- * * * *", "-5 * * * *", "5-1 * * * *", "*/0 * * * *", "*/ * * * *", "1, * * * *", ", * * * *", "a * * * *",
                            "1.5 * * * *", "@never", "99999999999 * * * *", "* * * * mon-fri-sat", "+5 * * * *", "*5 * * * *"})
        refused(bad);
    EXPECT_THAT(refused(std::string(300, '*')), HasSubstr("longer than 255"));
}

TEST(Cron, ATimeThatIsSkippedIsDueWhenTheClockHasJumped) {
    // 02:30 does not exist on 29 March; the next days it is 00:30 UTC.
    EXPECT_THAT(runs("30 2 * * *", at(2026, 3, 28, 12), 2, berlin), ElementsAre(at(2026, 3, 29, 1), at(2026, 3, 30, 0, 30)));
}

TEST(Cron, ATimeThatComesTwiceCountsTheFirstTime) {
    // 02:30 on 25 October is 00:30 and 01:30 UTC.
    EXPECT_THAT(runs("30 2 * * *", at(2026, 10, 24, 12), 2, berlin), ElementsAre(at(2026, 10, 25, 0, 30), at(2026, 10, 26, 1, 30)));
    EXPECT_THAT(runs("30 2 * * *", at(2026, 10, 25, 1, 10), 1, berlin), ElementsAre(at(2026, 10, 26, 1, 30)));
    EXPECT_THAT(runs("0 3 * * *", at(2026, 10, 25, 0), 1, berlin), ElementsAre(at(2026, 10, 25, 2)));
}

TEST(Cron, WithAnyHourTheElapsedTimeCounts) {
    EXPECT_THAT(runs("30 * * * *", at(2026, 3, 29, 0), 3, berlin),
                ElementsAre(at(2026, 3, 29, 0, 30), at(2026, 3, 29, 1, 30), at(2026, 3, 29, 2, 30)));
    EXPECT_THAT(runs("30 * * * *", at(2026, 10, 25, 0), 3, berlin),
                ElementsAre(at(2026, 10, 25, 0, 30), at(2026, 10, 25, 1, 30), at(2026, 10, 25, 2, 30)));
}

// Against the slow way: whether a second's own fields match.
TEST(Cron, FindsWhatLookingAtEverySecondFinds) {
    struct {
        const char *text;
        bool (*matches)(int h, int m, int s);
    } const cases[] = {
        {"*/7 * * * *", [](int, int m, int s) { return m % 7 == 0 && s == 0; }},
        {"3-50/9 * * * *", [](int, int m, int s) { return m >= 3 && m <= 50 && (m - 3) % 9 == 0 && s == 0; }},
        {"*/13 */7 * * * *", [](int, int m, int s) { return m % 7 == 0 && s % 13 == 0; }},
        {"30 59 */5,23 * * *", [](int h, int m, int s) { return (h % 5 == 0 || h == 23) && m == 59 && s == 30; }},
    };
    const Seconds begin = at(2026, 10, 24, 22), end = at(2026, 10, 25, 4);
    for (const auto &[text, matches] : cases) {
        std::vector<Seconds> slow, fast;
        for (Seconds t = begin + 1; t < end; ++t) {
            const auto local = t + berlin(t).seconds;
            if (matches(static_cast<int>(local / 3600 % 24), static_cast<int>(local / 60 % 60), static_cast<int>(local % 60)))
                slow.push_back(t);
        }
        const Cron parsed = cron(text);
        for (auto t = parsed.next(begin, berlin); t && *t < end; t = parsed.next(*t, berlin)) fast.push_back(*t);
        EXPECT_EQ(fast, slow) << text;
        EXPECT_FALSE(fast.empty()) << text;
    }
}

}  // namespace
}  // namespace pulse::queue
