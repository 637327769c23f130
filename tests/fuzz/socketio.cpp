// A conversation: messages separated by 0x1e, those that begin with 0x01 are binary. What the decoder gives must be fit for SQL and
// come back through the encoder.
#include "codec/socketio.hpp"

#include "base/json.hpp"
#include "check.hpp"

using namespace bridge;
using codec::Inbound;

namespace {

void check(const Inbound &packet) {
    CHECK(packet.nsp.starts_with('/') && packet.nsp.size() <= 255);
    CHECK(packet.attachments.size() <= codec::kMaxAttachments);
    CHECK(packet.payload.empty() || *json::scan(packet.payload) == json::Kind::object);
    CHECK(json::elements(packet.args));
    if (packet.id) CHECK(!packet.id->empty() && packet.id->find_first_not_of("0123456789") == std::string::npos);
    if (packet.kind != Inbound::Kind::event || packet.problem) return;
    CHECK(!codec::socketio::reserved_event(packet.event));
    CHECK(packet.event.find('\0') == std::string::npos && json::valid_utf8(packet.event));

    // encode → skip the WebSocket header and Engine.IO's 4 → decode
    const std::string name = json::quote(packet.event);
    codec::socketio::Event event;
    event.nsp = packet.nsp;
    event.name = name;
    event.args = std::string_view(packet.args).substr(1, packet.args.size() - 2);
    event.id = packet.id ? std::string_view(*packet.id) : std::string_view();
    const std::string frame = codec::socketio::event(event);
    const auto length = static_cast<unsigned char>(frame[1]);
    const std::size_t header = length < 126 ? 2 : length == 126 ? 4 : 10;
    if (event.args.find_first_not_of(" \t\r\n") == std::string_view::npos && !event.args.empty()) return;
    codec::socketio::Decoder again;
    const auto back = again.text(std::string_view(frame).substr(header + 1));
    CHECK(back && *back);
    CHECK((*back)->event == packet.event && (*back)->args == packet.args && (*back)->nsp == packet.nsp && (*back)->id == packet.id);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    std::string_view in = text(data, size);
    codec::socketio::Decoder decoder;
    codec::socketio::Limits limits;
    limits.max_payload = 4096;
    while (!in.empty()) {
        const std::size_t end = in.find('\x1e');
        const std::string_view message = in.substr(0, end);
        in.remove_prefix(end == std::string_view::npos ? in.size() : end + 1);
        const bool waited = decoder.waiting();
        const bool binary = message.starts_with('\x01');
        const auto packet = binary ? decoder.binary(message.substr(1), limits) : decoder.text(message, limits);
        if (!packet) return 0;  // the connection ends here
        CHECK(waited == binary);
        CHECK(decoder.waiting() != packet->has_value());
        if (*packet) check(**packet);
    }
    return 0;
}
