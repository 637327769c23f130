// The list of a job's failed attempts, as its row keeps it: JSON text that only ever grows at its end. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pulse::queue {

// An error is kept up to this many bytes, cut at a character's border.
constexpr std::size_t kMostErrorBytes = 2000;

std::string_view short_error(std::string_view error);

// ISO 8601 in UTC with milliseconds, of microseconds since 2000-01-01.
std::string iso_time(std::int64_t time);

struct Failure {
    int attempt;
    std::string_view worker;  // empty: unknown
    std::int64_t started_at, finished_at;
    std::string_view error;
};

// `earlier` is a JSON array or nothing.
std::string with_failure(const std::optional<std::string> &earlier, const Failure &failure);

}  // namespace pulse::queue
