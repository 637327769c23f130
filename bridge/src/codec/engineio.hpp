// Engine.IO v4: one digit, then the payload. Over WebSocket one packet is one message; over polling packets travel together in a body,
// joined by byte 0x1e. Pure text ↔ packet; heartbeats and sessions are the transport's.
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
    bool upgrades = false;  // may go on by WebSocket
};
std::string open_packet(const Open &open);  // exactly five keys
// Complete WebSocket frames.
std::string open_frame(const Open &open);
std::string_view ping_frame();                     // `2`
std::string pong_frame(std::string_view payload);  // `3…`, also the answer to a probe
std::string_view close_frame();                    // `1`
std::string_view noop_frame();                     // `6`
// One attachment: a binary frame, or with base64 the text frame `b…`.
void append_attachment(std::string &out, std::string_view bytes, bool base64);
// The same frames with every binary one as text.
std::string base64_frames(std::string_view frames);

// ---- polling. What is sent is made once, as WebSocket frames; a body says the same.
inline constexpr char kSeparator = '\x1e';
inline constexpr std::size_t kMaxPackets = 16;  // in one body: python-engineio's client gives up on more

// Takes frames off the front and appends them to `body` as packets, as long as it holds at most kMaxPackets; `packets`: those it holds.
void append_payload(std::string &body, std::size_t &packets, std::string_view &frames);

// The packets of a body, one after the other.
class Payload {
public:
    explicit Payload(std::string_view body) : rest_(body) {}
    bool more() const { return more_; }  // at first always: an empty body is one packet that is none
    Result<Packet> next();

private:
    std::string_view rest_;
    bool more_ = true;
};

}  // namespace bridge::codec::engineio
