// Builds complete WebSocket frames (RFC 6455 header and payload, unmasked, FIN) for the server's side in one buffer, ready for a raw
// write. A message is composed of parts, so that it is written once: text_frame({"42[", name, ",", payload, "]"}).
// Control frames are libwebsockets' own business.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace bridge::codec {

enum class Opcode : std::uint8_t { text = 0x1, binary = 0x2 };

using Parts = std::initializer_list<std::string_view>;

void append_frame(std::string &out, Opcode opcode, Parts payload);
std::string text_frame(Parts payload);
std::string binary_frame(std::string_view payload);

}  // namespace bridge::codec
