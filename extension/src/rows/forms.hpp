// The forms that values take in JSON: times, camelCase keys. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pulse::rows {

// blood_group → bloodGroup. Underscores at the ends stay.
std::string camel_case(std::string_view snake);

// Years outside 0 … 9999 get a sign and six or more digits, as in ECMAScript. year is astronomical: 0 is 1 BC.
void append_date(std::string &out, int64_t year, int month, int day);
void append_time(std::string &out, int64_t microseconds_of_day);  // hh:mm:ss.mmm, cut to milliseconds

}  // namespace pulse::rows
