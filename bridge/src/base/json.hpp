// JSON in two ways. `parse` gives a tree (nlohmann) for what the bridge must understand. `scan…` looks at raw text without
// building anything, for what the bridge only passes on: arguments and payloads leave byte for byte as they came.
// Both are bounded in size and depth, refuse invalid UTF-8, and never throw.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.hpp"

namespace bridge::json {

using Value = nlohmann::json;  // only declared here: who looks into one includes <nlohmann/json.hpp>, which takes long to compile

struct Limits {
    std::size_t max_bytes = 1'000'000;
    std::size_t max_depth = 64;
    bool refuse_duplicate_keys = false;
};

enum class Kind { null, boolean, number, string, array, object };

// Errc::bad_request when it is no JSON text or over a limit.
Result<Value> parse(std::string_view text, const Limits &limits = {});

// Is `text` one JSON value? Gives its kind. Allocates only with refuse_duplicate_keys.
Result<Kind> scan(std::string_view text, const Limits &limits = {});

// The raw text of each element of the array `text`, without the white space around it. Slices point into `text`.
// Validates everything. `max_elements` bounds the result.
Result<std::vector<std::string_view>> elements(std::string_view text, const Limits &limits = {}, std::size_t max_elements = 100'000);

// The members of the object `text`: decoded key, raw value. Slices point into `text`. Duplicate keys, at any depth, are refused where
// the text is a client's: two readers may take different ones.
enum class DuplicateKeys { refused, kept };
struct Member {
    std::string key;
    std::string_view value;
};
Result<std::vector<Member>> members(std::string_view text, const Limits &limits = {}, std::size_t max_members = 10'000,
                                    DuplicateKeys duplicates = DuplicateKeys::refused);

// The text of a JSON string literal (with its quotes). Refuses lone surrogates, since they have no UTF-8 form.
Result<std::string> unquote(std::string_view literal);

// The reverse; escapes what JSON demands plus 0x7f and 0x1e as every control character.
void append_quoted(std::string &out, std::string_view text);
std::string quote(std::string_view text);

bool valid_utf8(std::string_view text);

}  // namespace bridge::json
