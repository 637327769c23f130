// The only switch over protocols for outgoing messages.
#include "codec/outbound.hpp"

#include "codec/native.hpp"
#include "codec/poll.hpp"
#include "codec/socketio.hpp"
#include "codec/sse.hpp"

namespace bridge::codec {

std::string event_frame(Protocol protocol, const OutEvent &event) {
    const std::string_view position = event.ephemeral ? std::string_view() : event.position;
    if (protocol == Protocol::native) return native::event({event.name, event.args, event.room, position, event.id, event.attachments});
    if (protocol == Protocol::sse) return sse::event({event.name, event.args, position, !event.attachments.empty()});
    if (protocol == Protocol::poll)
        return poll::line({event.name, event.args, event.room, position, event.id, event.attachments}, event.position);
    // The stock client takes a last argument that is a string for an offset: then it shall be one.
    const bool offset = event.offset && event.id.empty() && (!event.ephemeral || event.args.starts_with('"'));
    return socketio::event({event.nsp, event.name, event.args, event.id, offset ? event.position : std::string_view(), event.attachments,
                            protocol == Protocol::socketio_base64});
}

std::string ack_frame(Protocol protocol, std::string_view nsp, std::string_view id, std::string_view args,
                      std::span<const std::string> attachments) {
    if (protocol == Protocol::native) return native::ack(id, args, attachments);
    return socketio::ack(nsp, id, args, attachments, protocol == Protocol::socketio_base64);
}

std::string error_frame(Protocol protocol, std::string_view nsp, std::string_view id, const Error &error, const ErrorDetails &details,
                        std::string_view offset) {
    if (protocol == Protocol::native) return native::error(error, details, id);
    if (!id.empty()) return socketio::ack(nsp, id, "[" + wrapped_error_json(error, details) + "]");
    const std::string args = error_json(error, details);
    socketio::Event event;
    event.nsp = nsp;
    event.name = "\"error\"";
    event.args = args;
    event.offset = offset;
    return socketio::event(event);
}

}  // namespace bridge::codec
