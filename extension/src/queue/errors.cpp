// The list of failed attempts.
#include "queue/errors.hpp"

#include "json/slice.hpp"

#include <chrono>
#include <cstdio>

#include "pg/pure.hpp"

namespace pulse::queue {

std::string_view short_error(std::string_view error) {
    if (error.size() <= kMostErrorBytes) return error;
    std::size_t size = kMostErrorBytes;
    while (size > 0 && (static_cast<unsigned char>(error[size]) & 0xC0) == 0x80) --size;
    return error.substr(0, size);
}

std::string iso_time(std::int64_t time) {
    using namespace std::chrono;
    const sys_time<microseconds> at = sys_days{year{2000} / January / 1} + microseconds{time};
    const auto day = floor<days>(at);
    const year_month_day date{day};
    const hh_mm_ss clock{floor<milliseconds>(at - day)};
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
                  static_cast<int>(clock.subseconds().count()));
    return text;
}

std::string with_failure(const std::optional<std::string> &earlier, const Failure &failure) {
    std::string entry = "{\"attempt\":" + std::to_string(failure.attempt) + ",\"worker\":";
    entry += failure.worker.empty() ? "null" : json::quoted(failure.worker);
    entry += ",\"startedAt\":\"" + iso_time(failure.started_at) + "\",\"finishedAt\":\"" + iso_time(failure.finished_at) + "\",\"error\":";
    json::append_quoted(entry, short_error(failure.error));
    entry += '}';
    const std::string_view list = earlier ? json::trim(*earlier) : std::string_view{};
    if (list.size() < 2 || list.front() != '[' || list.back() != ']') return '[' + entry + ']';
    const std::string_view inside = json::trim(list.substr(1, list.size() - 2));
    return inside.empty() ? '[' + entry + ']' : '[' + std::string(inside) + ',' + entry + ']';
}

}  // namespace pulse::queue
