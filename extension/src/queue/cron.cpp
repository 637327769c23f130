// Parsing, and the search for the next match: field by field on the local clock, stretch by stretch of constant offset.
#include "queue/cron.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>
#include <vector>

#include "pg/pure.hpp"

namespace pulse::queue {

namespace {

constexpr Seconds kMinute = 60, kHour = 3600, kDay = 86400;
constexpr Seconds kHorizon = 60 * 366 * kDay;
constexpr std::size_t kLongest = 255;

constexpr std::array kMonths = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array kWeekdays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kWords = {{{"@yearly", "0 0 1 1 *"},
                                                                                  {"@annually", "0 0 1 1 *"},
                                                                                  {"@monthly", "0 0 1 * *"},
                                                                                  {"@weekly", "0 0 * * 0"},
                                                                                  {"@daily", "0 0 * * *"},
                                                                                  {"@midnight", "0 0 * * *"},
                                                                                  {"@hourly", "0 * * * *"}}};

struct Field {
    std::string_view name;
    int lowest, highest;
};

std::string lower(std::string_view text) {
    std::string result(text);
    for (char &c : result)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return result;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        if (i < text.size() && separators.find(text[i]) == std::string_view::npos) continue;
        parts.push_back(text.substr(begin, i - begin));
        begin = i + 1;
    }
    return parts;
}

std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
    return value;
}

// A number, or the name of a month or weekday.
std::optional<int> value_of(std::string_view text, const Field &field) {
    if (text.empty()) return std::nullopt;
    if (const auto found = number(text)) return found;
    const auto index = [&](const auto &names, int first) -> std::optional<int> {
        const auto at = std::find(names.begin(), names.end(), text);
        if (at == names.end()) return std::nullopt;
        return static_cast<int>(at - names.begin()) + first;
    };
    if (field.name == "month") return index(kMonths, 1);
    if (field.name == "day of week") return index(kWeekdays, 0);
    return std::nullopt;
}

// One element of a list: *, value, range, each with a step. Gives every value to set().
template <class Set>
bool element(std::string_view text, const Field &field, Set &&set) {
    int step = 1;
    const auto slash = text.find('/');
    if (slash != std::string_view::npos) {
        const auto given = slash + 1 < text.size() ? number(text.substr(slash + 1)) : std::nullopt;
        if (!given || *given < 1) return false;
        step = *given;
        text = text.substr(0, slash);
    }
    int from = field.lowest, to = field.highest;
    if (text != "*" && text != "?") {
        const auto dash = text.find('-');
        const auto first = value_of(text.substr(0, dash), field);
        if (!first) return false;
        from = *first;
        if (dash != std::string_view::npos) {
            const auto last = value_of(text.substr(dash + 1), field);
            if (!last) return false;
            to = *last;
        } else if (slash == std::string_view::npos) {
            to = from;
        }
    } else if (field.name == "day of week") {
        to = 6;
    }
    if (from < field.lowest || to > field.highest || from > to) return false;
    for (int value = from; value <= to; value += step) set(value);
    return true;
}

std::string refusal(std::string_view text, const Field &field) {
    std::string why = "\"";
    why += text;
    why += "\" is no ";
    why += field.name;
    why += ": ";
    why += std::to_string(field.lowest) + " to " + std::to_string(field.highest);
    if (field.name == "month") why += " or JAN to DEC";
    if (field.name == "day of week") why += " or SUN to SAT";
    if (field.name == "day of month") why += " or L, the last day";
    why += ", as *, 5, 1-5, 1,15 or */10";
    return why;
}

Seconds floor_div(Seconds a, Seconds b) { return a / b - (a % b < 0 ? 1 : 0); }

std::chrono::year_month_day date_of(Seconds days) { return std::chrono::sys_days(std::chrono::days(days)); }

// The next set bit from `from` on.
template <std::size_t N>
int next_bit(const std::bitset<N> &bits, int from) {
    for (int i = from; i < static_cast<int>(N); ++i)
        if (bits[static_cast<std::size_t>(i)]) return i;
    return -1;
}

}  // namespace

std::optional<Cron> Cron::parse(std::string_view text, std::string &why) {
    if (text.size() > kLongest) {
        why = "it is longer than " + std::to_string(kLongest) + " bytes";
        return std::nullopt;
    }
    std::string expression = lower(text);
    for (const auto &[word, meaning] : kWords)
        if (expression == word) expression = meaning;
    std::vector<std::string_view> fields;
    for (const auto part : split(expression, " \t"))
        if (!part.empty()) fields.push_back(part);
    if (fields.size() != 5 && fields.size() != 6) {
        why = "it has " + std::to_string(fields.size()) + (fields.size() == 1 ? " field" : " fields") +
              ": five are minute, hour, day of month, month, day of week; a sixth before them is the second";
        return std::nullopt;
    }
    if (fields.size() == 5) fields.insert(fields.begin(), "0");

    Cron cron;
    const auto read = [&](std::string_view list, const Field &field, auto &&set) {
        for (const auto part : split(list, ",")) {
            if (field.name == "day of month" && part == "l") {
                cron.last_day_ = true;
                continue;
            }
            if (!element(part, field, set)) {
                why = refusal(part, field);
                return false;
            }
        }
        return true;
    };
    const auto into = [](auto &bits) { return [&bits](int value) { bits.set(static_cast<std::size_t>(value)); }; };
    const bool good = read(fields[0], {"second", 0, 59}, into(cron.seconds_)) && read(fields[1], {"minute", 0, 59}, into(cron.minutes_)) &&
                      read(fields[2], {"hour", 0, 23}, into(cron.hours_)) && read(fields[3], {"day of month", 1, 31}, into(cron.days_)) &&
                      read(fields[4], {"month", 1, 12}, into(cron.months_)) &&
                      read(fields[5], {"day of week", 0, 7}, [&](int value) { cron.weekdays_.set(static_cast<std::size_t>(value % 7)); });
    if (!good) return std::nullopt;
    const auto starts_with_any = [](std::string_view field) { return field.front() == '*' || field.front() == '?'; };
    cron.any_day_ = starts_with_any(fields[3]);
    cron.any_weekday_ = starts_with_any(fields[5]);
    cron.any_hour_ = starts_with_any(fields[2]);
    return cron;
}

bool Cron::day_matches(Seconds days) const {
    const auto date = date_of(days);
    if (!months_[static_cast<unsigned>(date.month())]) return false;
    const bool last = last_day_ && date.day() == (date.year() / date.month() / std::chrono::last).day();
    const bool day = days_[static_cast<unsigned>(date.day())] || last;
    const bool weekday = weekdays_[std::chrono::weekday(std::chrono::sys_days(date)).c_encoding()];
    return any_day_ || any_weekday_ ? day && weekday : day || weekday;
}

std::optional<Seconds> Cron::match(Seconds local, Seconds end) const {
    Seconds day = floor_div(local, kDay);
    Seconds of_day = local - day * kDay;
    for (; day * kDay < end; ++day, of_day = 0) {
        if (!day_matches(day)) continue;
        for (int hour = next_bit(hours_, static_cast<int>(of_day / kHour)); hour >= 0; hour = next_bit(hours_, hour + 1)) {
            const Seconds from = std::max(of_day - hour * kHour, Seconds(0));  // within this hour
            for (int minute = next_bit(minutes_, static_cast<int>(from / kMinute)); minute >= 0; minute = next_bit(minutes_, minute + 1)) {
                const int second = next_bit(seconds_, static_cast<int>(std::max(from - minute * kMinute, Seconds(0))));
                if (second < 0) continue;
                const Seconds found = day * kDay + hour * kHour + minute * kMinute + second;
                if (found >= end) return std::nullopt;
                return found;
            }
        }
    }
    return std::nullopt;
}

std::optional<Seconds> Cron::next(Seconds after, const Zone &zone) const {
    const Seconds horizon = after + kHorizon;
    Seconds from = any_hour_ ? after + 1 : after - kDay;       // UTC; a day earlier, to know whether the clock was set back lately
    Seconds seen_until = std::numeric_limits<Seconds>::min();  // local times before this one were had already
    while (from < horizon) {
        const Offset offset = zone(from);
        const Seconds end = std::min(offset.ends.value_or(horizon), horizon);
        const Seconds start = std::max(from, after + 1);
        if (start < end)
            if (const auto found = match(std::max(start + offset.seconds, seen_until), end + offset.seconds))
                return *found - offset.seconds;
        if (!offset.ends || end == horizon) return std::nullopt;
        if (!any_hour_) {
            const Seconds old_clock = end + offset.seconds, new_clock = end + offset.after;
            if (end > after && new_clock > old_clock && match(old_clock, new_clock)) return end;
            seen_until = std::max(old_clock, new_clock);
        }
        from = end;
    }
    return std::nullopt;
}

}  // namespace pulse::queue
