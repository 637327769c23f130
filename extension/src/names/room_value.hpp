// A value inside a room's name, such as the id in `order:7`: percent-encoded, so that it never looks like another room.
// Publishers encode (publish, handle), patterns decode (rooms). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pulse::names {

// ':' and '%' and control characters become %XX.
void append_room_value(std::string &out, std::string_view value);

// The inverse. nullopt for a '%' without two hex digits, for %00 and for bytes that are no UTF-8.
std::optional<std::string> decode_room_value(std::string_view value);

bool is_utf8(std::string_view bytes);

}  // namespace pulse::names
