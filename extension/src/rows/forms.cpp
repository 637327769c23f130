// Writing these forms.
#include "rows/forms.hpp"

#include <cstdio>

#include "pg/pure.hpp"

namespace pulse::rows {

std::string camel_case(std::string_view snake) {
    const size_t first = snake.find_first_not_of('_');
    if (first == std::string_view::npos) return std::string(snake);
    const size_t last = snake.find_last_not_of('_');
    std::string out(snake.substr(0, first));
    for (size_t i = first; i <= last; ++i) {
        if (snake[i] != '_') {
            out += snake[i];
            continue;
        }
        while (snake[i + 1] == '_')  // never runs past `last`, which is no underscore
            ++i;
        const char next = snake[++i];
        out += next >= 'a' && next <= 'z' ? static_cast<char>(next - 'a' + 'A') : next;
    }
    out += snake.substr(last + 1);
    return out;
}

void append_date(std::string &out, int64_t year, int month, int day) {
    char buffer[48];
    if (year >= 0 && year <= 9999)
        std::snprintf(buffer, sizeof buffer, "%04lld-%02d-%02d", static_cast<long long>(year), month, day);
    else
        std::snprintf(buffer, sizeof buffer, "%c%06lld-%02d-%02d", year < 0 ? '-' : '+', static_cast<long long>(year < 0 ? -year : year),
                      month, day);
    out += buffer;
}

void append_time(std::string &out, int64_t microseconds_of_day) {
    const int64_t ms = microseconds_of_day / 1000;
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%02d:%02d:%02d.%03d", static_cast<int>(ms / 3600000), static_cast<int>(ms / 60000 % 60),
                  static_cast<int>(ms / 1000 % 60), static_cast<int>(ms % 1000));
    out += buffer;
}

}  // namespace pulse::rows
