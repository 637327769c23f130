// One message of pulse.v1.json. Whatever is answered must make a valid JSON answer.
#include "codec/native.hpp"

#include "base/json.hpp"
#include "check.hpp"

using namespace bridge;
using codec::Inbound;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    codec::native::Limits limits;
    limits.max_payload = 4096;
    const auto packet = codec::native::decode(text(data, size), limits);
    if (!packet) {
        CHECK(packet.error().code == Errc::protocol_error || packet.error().code == Errc::payload_too_large);
        return 0;
    }
    CHECK(*json::scan(packet->args) == json::Kind::array);
    if (packet->id) CHECK(json::scan(*packet->id) && packet->id->size() <= limits.max_id);
    const std::string id = packet->id.value_or("");
    const Error error = packet->problem.value_or(Error{Errc::internal, "x", {}});
    codec::ErrorDetails details;
    details.event = packet->event;
    std::string answer = codec::native::error(error, details, id);
    const auto length = static_cast<unsigned char>(answer[1]);
    CHECK(json::scan(std::string_view(answer).substr(length < 126 ? 2 : 4)));
    if (packet->problem) return 0;
    if (packet->kind == Inbound::Kind::event) CHECK(!packet->event.empty() && packet->event.find('\0') == std::string::npos);
    if (packet->kind == Inbound::Kind::join || packet->kind == Inbound::Kind::leave)
        CHECK(!packet->room.empty() && packet->room.size() <= limits.max_room);
    return 0;
}
