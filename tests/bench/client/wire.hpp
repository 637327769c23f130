// The bytes of WebSocket as the bench needs them: masked client frames, and a pull parser
// for what a server sends. Pure: no sockets. Used by the fleet (client side) and by the floor server (server side).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

enum class Opcode : uint8_t { Continuation = 0, Text = 1, Binary = 2, Close = 8, Ping = 9, Pong = 10 };

struct Frame {
    Opcode opcode = Opcode::Text;
    bool final = true;
    std::string_view payload;  // into the parsed buffer
    size_t size = 0;           // bytes of the whole frame in that buffer
};

enum class Parsed { Frame, NeedMore, Broken };

// Parses one unmasked frame at the front of `bytes`. A masked frame is Broken: servers do not mask.
Parsed parse_server_frame(std::string_view bytes, Frame &frame);
// Parses one masked frame at the front of `bytes` and unmasks its payload in place.
Parsed parse_client_frame(char *bytes, size_t length, Frame &frame);

std::string client_frame(Opcode opcode, std::string_view payload, uint32_t mask);
std::string server_frame(Opcode opcode, std::string_view payload);

// The server's Sec-WebSocket-Accept for a client's key.
std::string accept_for(const std::string &key);
std::string base64(std::string_view bytes);

}  // namespace bench
