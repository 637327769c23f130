// What a schedule's text means: a cron expression or a plain interval, and its slots in a time zone of PostgreSQL's.
#pragma once

#include "pg/guard.hpp"
#include "queue/cron.hpp"

namespace pulse::queue {

// Slots of one schedule.
class Slots {
public:
    static Slots cron(std::string_view spec, const std::string &timezone);  // raises, with hints, for what is none
    static Slots every(int64 us, TimestampTz anchor) { return Slots(us, anchor); }

    std::optional<TimestampTz> after(TimestampTz moment) const;  // the first one later than that

private:
    Slots(int64 us, TimestampTz anchor) : us_(us), anchor_(anchor) {}
    Slots(Cron cron, const pg_tz *zone) : cron_(std::move(cron)), zone_(zone) {}

    std::optional<Cron> cron_;
    const pg_tz *zone_ = nullptr;  // cached by PostgreSQL for the life of the process
    int64 us_ = 0;
    TimestampTz anchor_ = 0;
};

}  // namespace pulse::queue
