// One digit and a payload.
#include "codec/engineio.hpp"

#include "base/base64.hpp"
#include "base/json.hpp"
#include "codec/websocket_frame.hpp"

namespace bridge::codec::engineio {

Result<Packet> decode(std::string_view message, bool is_binary) {
    if (is_binary) return Packet{Type::binary, message, {}};
    if (message.empty()) return Error{Errc::protocol_error, "empty packet", {}};
    const char type = message[0];
    const std::string_view payload = message.substr(1);
    if (type == 'b') {
        auto bytes = base64::decode(payload);
        if (!bytes) return Error{Errc::protocol_error, "malformed base64", {}};
        return Packet{Type::binary, {}, std::move(*bytes)};
    }
    switch (type) {
        case '0': return Packet{Type::open, payload, {}};
        case '1': return Packet{Type::close, payload, {}};
        case '2': return Packet{Type::ping, payload, {}};
        case '3': return Packet{Type::pong, payload, {}};
        case '4': return Packet{Type::message, payload, {}};
        case '5': return Packet{Type::upgrade, payload, {}};
        case '6': return Packet{Type::noop, payload, {}};
        default: return Error{Errc::protocol_error, "unknown packet type", {}};
    }
}

std::string open_packet(const Open &open) {
    return "0{\"sid\":" + json::quote(open.sid) + ",\"upgrades\":" + (open.upgrades ? R"(["websocket"])" : "[]") +
           ",\"pingInterval\":" + std::to_string(open.ping_interval.count()) +
           ",\"pingTimeout\":" + std::to_string(open.ping_timeout.count()) + ",\"maxPayload\":" + std::to_string(open.max_payload) + "}";
}

std::string open_frame(const Open &open) { return text_frame({open_packet(open)}); }

std::string_view ping_frame() {
    return {"\x81\x01"
            "2",
            3};
}
std::string_view close_frame() {
    return {"\x81\x01"
            "1",
            3};
}
std::string_view noop_frame() {
    return {"\x81\x01"
            "6",
            3};
}
std::string pong_frame(std::string_view payload) { return text_frame({"3", payload}); }

void append_attachment(std::string &out, std::string_view bytes, bool base64) {
    if (base64) {
        append_frame(out, Opcode::text, {"b", base64::encode(bytes)});
    } else {
        append_frame(out, Opcode::binary, {bytes});
    }
}

std::string base64_frames(std::string_view frames) {
    std::string out;
    while (!frames.empty()) {
        const std::string_view before = frames;
        const Taken frame = take_frame(frames);
        if (frame.opcode == Opcode::binary) {
            append_attachment(out, frame.payload, true);
        } else {
            out.append(before.substr(0, before.size() - frames.size()));
        }
    }
    return out;
}

void append_payload(std::string &body, std::size_t &packets, std::string_view &frames) {
    while (!frames.empty() && packets < kMaxPackets) {
        const Taken frame = take_frame(frames);
        if (packets++ > 0) body += kSeparator;
        if (frame.opcode == Opcode::binary) {
            body += 'b';
            body += base64::encode(frame.payload);
        } else {
            body += frame.payload;
        }
    }
}

Result<Packet> Payload::next() {
    const std::size_t end = rest_.find(kSeparator);
    more_ = end != std::string_view::npos;
    const std::string_view packet = rest_.substr(0, end);
    rest_.remove_prefix(more_ ? end + 1 : rest_.size());
    return decode(packet, false);
}

}  // namespace bridge::codec::engineio
