// Base64 (RFC 4648), which bytes travel in. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pulse::json {

void append_base64(std::string &out, std::string_view bytes);
std::string base64(std::string_view bytes);
std::string base64_url(std::string_view bytes);                    // of JWTs: two other digits, no padding
std::optional<std::string> base64_decoded(std::string_view text);  // either alphabet, padding may be missing

}  // namespace pulse::json
