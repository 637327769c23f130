// One event as complete WebSocket frames (an event stream's block, a long-poll's line) for a given protocol: what the app's hub::Encoder
// and handlers call, so that nobody else switches over protocols. A thin layer over socketio, native, sse and poll.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/protocol.hpp"
#include "codec/error_json.hpp"

namespace bridge::codec {

struct OutEvent {
    std::string_view nsp = "/";
    std::string_view name;      // JSON string with its quotes
    std::string_view args;      // raw JSON values joined by commas; a published payload is one value
    std::string_view id;        // set: asks for an ack
    std::string_view room;      // native and poll only
    std::string_view position;  // cursor
    bool ephemeral = false;     // `position` is where the stream stands: the client is not told
    bool offset = false;        // Socket.IO: append `position` as last argument (recovery is on)
    std::span<const std::string> attachments;
};
std::string event_frame(Protocol protocol, const OutEvent &event);

// The answer to an inbound event with an id. `args` is a raw JSON array.
std::string ack_frame(Protocol protocol, std::string_view nsp, std::string_view id, std::string_view args,
                      std::span<const std::string> attachments = {});

// The answer to a failed inbound event: an ack with {"error":…} when it had an id (native: an error message with that id), else
// the event `error`, on Socket.IO with `offset` as its last argument.
std::string error_frame(Protocol protocol, std::string_view nsp, std::string_view id, const Error &error, const ErrorDetails &details,
                        std::string_view offset = {});

// Is a room's name part of the frame? Then a frame serves one room only.
constexpr bool frame_names_room(Protocol protocol) { return protocol == Protocol::native || protocol == Protocol::poll; }

}  // namespace bridge::codec
