// Engine.IO v4, framing of packets over WebSocket: one packet a message. Pure text ↔ packet; heartbeats and sessions are the
// transport's. See docs/reference of the protocol: one digit, then the payload.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace bridge::codec::engineio {

enum class Type { open, close, ping, pong, message, upgrade, noop, binary };

struct Packet {
    Type type;
    std::string_view payload;  // points into the frame; for a `b` frame into `decoded`
    std::string decoded;       // bytes of a base64 frame; then `payload` is empty and bytes() gives this
    std::string_view bytes() const { return type == Type::binary && !decoded.empty() ? std::string_view(decoded) : payload; }
};

// A whole WebSocket message. Binary messages are Type::binary as they are; text `b…` is base64 of the same.
// Errc::protocol_error for anything else.
Result<Packet> decode(std::string_view message, bool is_binary);

struct Open {
    std::string_view sid;
    std::chrono::milliseconds ping_interval, ping_timeout;
    std::size_t max_payload;
};
// Complete WebSocket frames.
std::string open_frame(const Open &open);          // exactly five keys, upgrades []
std::string_view ping_frame();                     // `2`
std::string pong_frame(std::string_view payload);  // `3…`, also the answer to a probe
std::string_view close_frame();                    // `1`
std::string_view noop_frame();                     // `6`
// One attachment: a binary frame, or with base64 the text frame `b…`.
void append_attachment(std::string &out, std::string_view bytes, bool base64);

}  // namespace bridge::codec::engineio
