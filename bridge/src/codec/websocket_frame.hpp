// Builds complete WebSocket frames (RFC 6455 header and payload, unmasked, FIN) for the server's side in one buffer, ready for a raw
// write. A message is composed of parts, so that it is written once: text_frame({"42[", name, ",", payload, "]"}).
// take_frame() is the reverse, for a transport that has no frames of its own.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace bridge::codec {

enum class Opcode : std::uint8_t { text = 0x1, binary = 0x2, close = 0x8, ping = 0x9, pong = 0xa };

using Parts = std::initializer_list<std::string_view>;

void append_frame(std::string &out, Opcode opcode, Parts payload);
std::string text_frame(Parts payload);
std::string binary_frame(std::string_view payload);

// Takes the first of the complete frames that these functions made.
struct Taken {
    Opcode opcode;
    std::string_view payload;
};
Taken take_frame(std::string_view &frames);

}  // namespace bridge::codec
