// Intervals that somebody gives as an argument, as one number.
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

// In microseconds, days of 24 hours and months of 30 days, as when intervals are compared. nullopt: it is shorter or longer than that.
std::optional<int64> microseconds_of(Datum interval, int64 shortest, int64 longest);

// The same for one without months, which are of no fixed length.
std::optional<int64> fixed_microseconds_of(Datum interval, int64 shortest, int64 longest);

// In whole milliseconds, at least 1.
inline std::optional<int64> milliseconds_of(Datum interval, int64 longest) {
    const auto us = microseconds_of(interval, 1000, longest * 1000);
    return us ? std::optional(*us / 1000) : std::nullopt;
}

}  // namespace pulse::pg
