// The body of an Engine.IO POST: packets joined by 0x1e. And back: the same packets as frames, made a body again.
#include <string>
#include <vector>

#include "base/base64.hpp"
#include "check.hpp"
#include "codec/engineio.hpp"
#include "codec/websocket_frame.hpp"

using namespace bridge;
namespace engineio = codec::engineio;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view in = text(data, size);
    engineio::Payload payload(in);
    std::string frames, all_text;
    std::size_t packets = 0;
    while (payload.more()) {
        const auto packet = payload.next();
        if (!packet) {
            CHECK(packet.error().code == Errc::protocol_error);
            return 0;
        }
        const bool binary = packet->type == engineio::Type::binary;
        const std::string digit(1, binary ? 'b' : static_cast<char>('0' + static_cast<int>(packet->type)));
        if (packets++ > 0) all_text += engineio::kSeparator;
        all_text += digit + (binary ? base64::encode(packet->bytes()) : std::string(packet->bytes()));
        frames += binary ? codec::binary_frame(packet->bytes()) : codec::text_frame({digit, packet->bytes()});
        CHECK(packets <= in.size() + 1);
    }
    CHECK(all_text == in);

    // The answer to GETs: at most so many packets each, none lost.
    std::string_view left = frames;
    std::string bodies;
    while (!left.empty()) {
        std::string body;
        std::size_t in_body = 0;
        engineio::append_payload(body, in_body, left);
        CHECK(in_body > 0 && in_body <= engineio::kMaxPackets && (left.empty() || in_body == engineio::kMaxPackets));
        if (!bodies.empty()) bodies += engineio::kSeparator;
        bodies += body;
    }
    CHECK(bodies == in);
    return 0;
}
