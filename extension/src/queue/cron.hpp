// When a schedule is due: cron expressions of five or six fields in a time zone. Pure: the zone is given as stretches of constant offset.
//   fields    [second] minute hour day-of-month month day-of-week
//   values    *  5  1-5  1,15  */10  10-50/5  30/15 (from 30 on)  JAN…DEC  SUN…SAT  7 and 0 are Sunday  L (last day of the month)
//   words     @yearly @annually @monthly @weekly @daily @midnight @hourly
// When both day fields are restricted, a day that matches either is meant, as Vixie's cron has it.
// Clocks that change (also as there): an expression with a fixed hour runs once a day, so a time that is skipped is due when the clock
// has jumped over it, and one that comes twice counts the first time. With * as hour the elapsed time counts.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace pulse::queue {

using Seconds = std::int64_t;  // since 1970-01-01 00:00 UTC, or of a local clock as if it showed UTC

// A stretch of time in which a zone's clocks are ahead of UTC by the same number of seconds.
struct Offset {
    Seconds seconds;
    std::optional<Seconds> ends;  // the first second (UTC) of the next stretch
    Seconds after = 0;            // the next one's offset
};

// The stretch that holds a moment (UTC).
using Zone = std::function<Offset(Seconds)>;

class Cron {
public:
    // nullopt: no cron expression; why says what is wrong with it.
    static std::optional<Cron> parse(std::string_view text, std::string &why);

    // The first moment later than `after` that matches; nullopt when none comes within 60 years (30 February).
    std::optional<Seconds> next(Seconds after, const Zone &zone) const;

private:
    std::optional<Seconds> match(Seconds local, Seconds end) const;  // the first local time in [local, end)
    bool day_matches(Seconds days) const;

    std::bitset<60> seconds_, minutes_;
    std::bitset<24> hours_;
    std::bitset<32> days_;  // 1–31
    std::bitset<13> months_;
    std::bitset<7> weekdays_;
    bool last_day_ = false;
    bool any_day_ = false, any_weekday_ = false, any_hour_ = false;
};

}  // namespace pulse::queue
