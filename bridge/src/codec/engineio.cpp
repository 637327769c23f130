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

std::string open_frame(const Open &open) {
    return text_frame(
        {"0{\"sid\":", json::quote(open.sid), ",\"upgrades\":[],\"pingInterval\":", std::to_string(open.ping_interval.count()),
         ",\"pingTimeout\":", std::to_string(open.ping_timeout.count()), ",\"maxPayload\":", std::to_string(open.max_payload), "}"});
}

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

}  // namespace bridge::codec::engineio
