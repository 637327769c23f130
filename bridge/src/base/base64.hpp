// Strict base64: url-safe without padding (tokens) and standard with padding (Engine.IO's `b` frames). A value has exactly one
// accepted text: wrong alphabet, white space, wrong padding and stray bits in the last character are refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bridge::base64 {

std::optional<std::string> decode(std::string_view text);      // standard alphabet, padded
std::optional<std::string> decode_url(std::string_view text);  // url alphabet, no padding
std::string encode(std::string_view bytes);
std::string encode_url(std::string_view bytes);

}  // namespace bridge::base64
