// Checks JSON text and strips white space outside strings in one pass, and nothing else: key order, number text, escapes and
// duplicate keys stay as they were written, byte for byte. Iterative, so that depth costs bits, not stack.
// A lone surrogate escape (\ud800) is grammatical JSON, and JavaScript writes and reads it, so it passes unchanged.
// Pure; called by publish and the unit tests.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace pulse::json {

constexpr size_t kMaxDepth = 1000;

struct SyntaxError {
    size_t offset;  // bytes from the start
    const char *message;
};

// Appends the compact form of `text` to `out`. On an error `out` holds a part of it.
std::optional<SyntaxError> check(std::string_view text, std::string &out);

}  // namespace pulse::json
