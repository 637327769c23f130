// Slots in time: PostgreSQL's clock and zones around cron.cpp.
#include "queue/slots.hpp"

namespace pulse::queue {

namespace {

constexpr TimestampTz kUnixEpoch = -static_cast<TimestampTz>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;

Seconds unix_seconds(TimestampTz moment) {
    const int64 us = moment - kUnixEpoch;
    return us / USECS_PER_SEC - (us % USECS_PER_SEC < 0 ? 1 : 0);
}

Offset offset_at(const pg_tz *zone, Seconds moment) {
    const pg_time_t at = moment;
    long before = 0, later = 0;
    int before_dst = 0, later_dst = 0;
    pg_time_t boundary = 0;
    const int found = pg_next_dst_boundary(&at, &before, &before_dst, &boundary, &later, &later_dst, zone);
    if (found <= 0) return {before, std::nullopt};
    return {before, boundary, later};
}

const pg_tz *zone_of(const std::string &name) {
    const pg_tz *zone = name.size() > TZ_STRLEN_MAX ? nullptr : pg::call([&] { return pg_tzset(name.c_str()); });
    if (zone == nullptr)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "\"" + name + "\" is no time zone", {},
                 "Names are those of pg_timezone_names, as 'UTC' or 'Europe/Berlin'.");
    return zone;
}

}  // namespace

Slots Slots::cron(std::string_view spec, const std::string &timezone) {
    std::string why;
    auto parsed = Cron::parse(spec, why);
    if (!parsed)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "\"" + std::string(spec) + "\" is no cron expression: " + why, {},
                 "Fields are minute, hour, day of month, month, day of week, as '30 8 * * MON-FRI'; or a word as @daily.");
    return Slots(std::move(*parsed), zone_of(timezone));
}

std::optional<TimestampTz> Slots::after(TimestampTz moment) const {
    if (!cron_) {
        const int64 since = moment - anchor_;
        const int64 before = since / us_ - (since % us_ < 0 ? 1 : 0);
        return anchor_ + (before + 1) * us_;
    }
    const auto next = cron_->next(unix_seconds(moment), [zone = zone_](Seconds at) { return offset_at(zone, at); });
    if (!next) return std::nullopt;
    return kUnixEpoch + *next * USECS_PER_SEC;
}

}  // namespace pulse::queue
