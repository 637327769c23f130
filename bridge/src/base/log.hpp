// Structured log: one JSON object a line on stderr. Never holds personal data: no tokens, no payloads, no user names; ids of
// sessions and correlation ids are fine. Called from the loop thread; safe from any.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace bridge::log {

enum class Level { debug, info, warn, error };

struct Field {
    std::string_view key;
    std::variant<std::string_view, std::int64_t, double, bool> value;

    Field(std::string_view k, std::string_view v) : key(k), value(v) {}
    Field(std::string_view k, const char *v) : key(k), value(std::string_view(v)) {}
    Field(std::string_view k, bool v) : key(k), value(v) {}
    Field(std::string_view k, double v) : key(k), value(v) {}
    template <class Int>
    requires(std::is_integral_v<Int> && !std::is_same_v<Int, bool>) Field(std::string_view k, Int v)
        : key(k), value(static_cast<std::int64_t>(v)) {}
};
using Fields = std::initializer_list<Field>;

// Left out when there is nothing to say.
inline Field given(std::string_view key, std::string_view value) { return {value.empty() ? std::string_view() : key, value}; }

void set_level(Level level);  // at start and on a signal; default info
bool enabled(Level level);

void debug(std::string_view message, Fields fields = {});
void info(std::string_view message, Fields fields = {});
void warn(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});

// The line without its newline, as the functions above write it; for tests.
std::string render(Level level, std::string_view message, Fields fields, std::string_view timestamp);

}  // namespace bridge::log
