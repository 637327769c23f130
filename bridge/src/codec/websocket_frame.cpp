// RFC 6455 §5.2: FIN, no mask, the shortest length form.
#include "codec/websocket_frame.hpp"

namespace bridge::codec {

void append_frame(std::string &out, Opcode opcode, Parts payload) {
    std::size_t size = 0;
    for (std::string_view part : payload) size += part.size();

    char header[10];
    std::size_t header_size = 2;
    header[0] = static_cast<char>(0x80 | static_cast<unsigned>(opcode));
    if (size < 126) {
        header[1] = static_cast<char>(size);
    } else {
        const std::size_t length_bytes = size <= 0xffff ? 2 : 8;
        header[1] = length_bytes == 2 ? 126 : 127;
        for (std::size_t i = 0; i < length_bytes; ++i) {
            header[2 + i] = static_cast<char>(size >> 8 * (length_bytes - 1 - i) & 0xff);
        }
        header_size += length_bytes;
    }
    out.reserve(out.size() + header_size + size);
    out.append(header, header_size);
    for (std::string_view part : payload) out.append(part);
}

std::string text_frame(Parts payload) {
    std::string out;
    append_frame(out, Opcode::text, payload);
    return out;
}

std::string binary_frame(std::string_view payload) {
    std::string out;
    append_frame(out, Opcode::binary, {payload});
    return out;
}

Taken take_frame(std::string_view &frames) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(frames[at]); };
    const auto opcode = static_cast<Opcode>(byte(0) & 0x0f);
    std::size_t size = byte(1), header = 2;
    if (size >= 126) {
        const std::size_t length_bytes = size == 126 ? 2 : 8;
        size = 0;
        for (std::size_t i = 0; i < length_bytes; ++i) size = size << 8 | byte(2 + i);
        header += length_bytes;
    }
    const std::string_view payload = frames.substr(header, size);
    frames.remove_prefix(header + size);
    return {opcode, payload};
}

}  // namespace bridge::codec
