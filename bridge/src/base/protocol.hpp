// The wire formats that a connection can speak. codec writes them, hub only tells them apart.
#pragma once

#include <cstdint>
#include <string_view>

namespace bridge {

enum class Protocol : std::uint8_t {
    socketio,         // Socket.IO v5 in Engine.IO v4, one packet a WebSocket frame
    socketio_base64,  // the same for a handshake with b64=1: attachments are `b…` text frames
    native,           // subprotocol pulse.v1.json
    sse,              // text/event-stream
    poll,             // what answers of long-polls are made of
};

constexpr std::string_view name(Protocol protocol) {
    switch (protocol) {
        case Protocol::socketio: return "socketio";
        case Protocol::socketio_base64: return "socketio_base64";
        case Protocol::native: return "native";
        case Protocol::sse: return "sse";
        case Protocol::poll: return "poll";
    }
    return "unknown";
}

}  // namespace bridge
