// One Engine.IO message, as text and as binary.
#include "codec/engineio.hpp"

#include "base/base64.hpp"
#include "check.hpp"

using namespace bridge;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view in = text(data, size);
    const auto binary = codec::engineio::decode(in, true);
    CHECK(binary && binary->bytes() == in);
    const auto packet = codec::engineio::decode(in, false);
    if (!packet) {
        CHECK(packet.error().code == Errc::protocol_error);
        return 0;
    }
    if (packet->type == codec::engineio::Type::binary) {
        CHECK(base64::encode(packet->bytes()) == in.substr(1));  // one text for each value
    } else {
        CHECK(packet->bytes() == in.substr(1));
    }
    return 0;
}
