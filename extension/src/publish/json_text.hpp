// JSON as text: checks it and strips white space outside strings in one pass, and nothing else: key order, number text,
// escapes and duplicate keys stay as they were written, byte for byte. Iterative, so that depth costs bits, not stack.
// A lone surrogate escape (\ud800) is grammatical JSON, JavaScript writes and reads it, so it passes unchanged.
// Pure; called by publish, the trigger and the unit tests.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace pulse::publish {

constexpr size_t kMaxJsonDepth = 1000;

struct JsonError {
    size_t offset;  // bytes from the start
    const char *message;
};

// Appends the compact form of `text` to `out`. On an error `out` holds a part of it.
std::optional<JsonError> compact_json(std::string_view text, std::string &out);

// The functions below take what compact_json made.
bool is_object(std::string_view compact);
bool has_key(std::string_view compact_object, std::string_view key);  // on its first level
std::string decode_string(std::string_view raw);  // the text between the quotes → UTF-8; lone surrogates become U+FFFD

}  // namespace pulse::publish
