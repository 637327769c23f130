// Intervals as one number, without overflow: each of their parts may be anything.
#include "pg/interval.hpp"

namespace pulse::pg {

std::optional<int64> microseconds_of(Datum interval, int64 shortest, int64 longest) {
    const auto *given = DatumGetIntervalP(interval);  // by reference and of fixed length: nothing to detoast
    const int64 days = int64{given->month} * 30 + given->day;
    int64 us = 0;
    if (pg_mul_s64_overflow(days, USECS_PER_DAY, &us) || pg_add_s64_overflow(us, given->time, &us)) return std::nullopt;
    if (us < shortest || us > longest) return std::nullopt;
    return us;
}

std::optional<int64> fixed_microseconds_of(Datum interval, int64 shortest, int64 longest) {
    if (DatumGetIntervalP(interval)->month != 0) return std::nullopt;
    return microseconds_of(interval, shortest, longest);
}

}  // namespace pulse::pg
