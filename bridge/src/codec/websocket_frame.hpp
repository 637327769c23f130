// Builds complete WebSocket frames (RFC 6455 header and payload, unmasked, FIN) for the server's side in one buffer, ready for a raw
// write. Compose a message of parts to write it once: text_frame({"42[", name, ",", payload, "]"}).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace bridge::codec {

enum class Opcode : std::uint8_t { text = 0x1, binary = 0x2, close = 0x8, ping = 0x9, pong = 0xA };

using Parts = std::initializer_list<std::string_view>;

void append_frame(std::string &out, Opcode opcode, Parts payload);
std::string text_frame(Parts payload);
std::string binary_frame(std::string_view payload);
std::string close_frame(std::uint16_t code, std::string_view reason);  // reason is cut to 123 bytes at a character's border

}  // namespace bridge::codec
