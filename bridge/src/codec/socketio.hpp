// Socket.IO v5 packets inside Engine.IO messages. The Decoder holds the state of one connection (a binary head waiting for its
// attachments); an error from it means: close the whole connection (protocol_error). Encoders give complete WebSocket frames,
// head and attachments together, since nothing may come between them. JSON passes byte for byte. Bounded, pure, fuzzed.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "codec/packet.hpp"

namespace bridge::codec::socketio {

bool reserved_event(std::string_view name);  // connect, connect_error, disconnect, disconnecting, newListener, removeListener

struct Limits {
    std::size_t max_namespace = 255;
    std::size_t max_id_digits = 16;
    std::size_t max_depth = 64;
    std::size_t max_payload = 1'000'000;  // of one message; a packet with all its attachments may have twice that
};

class Decoder {  // 8 bytes while nothing waits
public:
    Decoder() noexcept;
    ~Decoder();
    Decoder(Decoder &&) noexcept;
    Decoder &operator=(Decoder &&) noexcept;

    // The payload of one Engine.IO message. A value without packet means: attachments are still to come.
    // Errc::protocol_error or payload_too_large.
    Result<std::optional<Inbound>> text(std::string_view payload, const Limits &limits = {});
    Result<std::optional<Inbound>> binary(std::string_view bytes, const Limits &limits = {});
    bool waiting() const { return pending_ != nullptr; }

private:
    struct Pending;
    std::unique_ptr<Pending> pending_;
};

// `nsp` as the client wrote it; "/" is never written. `id` is raw digits. Every function gives complete WebSocket frames.
std::string connected(std::string_view nsp, std::string_view sid, std::string_view pid = {});
std::string connect_error(std::string_view nsp, std::string_view message, std::string_view data_json = {});
std::string disconnected(std::string_view nsp);

struct Event {
    std::string_view nsp = "/";
    std::string_view name;                     // JSON string with its quotes
    std::string_view args;                     // raw JSON values joined by commas; empty: none
    std::string_view id;                       // digits of an ack asked for; empty: none
    std::string_view offset;                   // appended as a last string argument; empty: none
    std::span<const std::string> attachments;  // then args holds the placeholders
    bool base64 = false;                       // attachments as text frames
};
std::string event(const Event &event);

// `args` is a raw JSON array. With attachments: a binary ack.
std::string ack(std::string_view nsp, std::string_view id, std::string_view args, std::span<const std::string> attachments = {},
                bool base64 = false);

}  // namespace bridge::codec::socketio
