// WebSocket bytes, see wire.hpp.
#include "client/wire.hpp"

#include <cstring>
#include <openssl/evp.h>

namespace bench {

namespace {

constexpr size_t kIncomplete = 0;

// Reads the two to ten bytes of a frame header. Returns the header's length without the mask, or kIncomplete.
size_t read_header(std::string_view bytes, Frame &frame, bool &masked, uint64_t &length) {
    if (bytes.size() < 2) return kIncomplete;
    const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
    frame.final = at(0) & 0x80;
    frame.opcode = static_cast<Opcode>(at(0) & 0x0f);
    masked = at(1) & 0x80;
    length = at(1) & 0x7f;
    const size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (bytes.size() < 2 + extra) return kIncomplete;
    if (extra) {
        length = 0;
        for (size_t i = 0; i < extra; ++i) length = length << 8 | at(2 + i);
    }
    return 2 + extra;
}

std::string frame_header(Opcode opcode, size_t length, bool masked) {
    std::string out;
    out.reserve(length + 14);
    out += static_cast<char>(0x80 | static_cast<uint8_t>(opcode));
    const uint8_t bit = masked ? 0x80 : 0;
    if (length < 126) {
        out += static_cast<char>(bit | length);
    } else if (length < 65536) {
        out += static_cast<char>(bit | 126);
        out += static_cast<char>(length >> 8);
        out += static_cast<char>(length);
    } else {
        out += static_cast<char>(bit | 127);
        for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(static_cast<uint64_t>(length) >> shift);
    }
    return out;
}

}  // namespace

Parsed parse_server_frame(std::string_view bytes, Frame &frame) {
    bool masked = false;
    uint64_t length = 0;
    const size_t header = read_header(bytes, frame, masked, length);
    if (header == kIncomplete) return Parsed::NeedMore;
    if (masked) return Parsed::Broken;
    if (bytes.size() - header < length) return Parsed::NeedMore;
    frame.payload = bytes.substr(header, length);
    frame.size = header + length;
    return Parsed::Frame;
}

Parsed parse_client_frame(char *bytes, size_t size, Frame &frame) {
    bool masked = false;
    uint64_t length = 0;
    const size_t header = read_header({bytes, size}, frame, masked, length);
    if (header == kIncomplete) return Parsed::NeedMore;
    if (!masked) return Parsed::Broken;
    if (size - header < 4 || size - header - 4 < length) return Parsed::NeedMore;
    const char *mask = bytes + header;
    char *payload = bytes + header + 4;
    for (uint64_t i = 0; i < length; ++i) payload[i] ^= mask[i & 3];
    frame.payload = {payload, length};
    frame.size = header + 4 + length;
    return Parsed::Frame;
}

std::string client_frame(Opcode opcode, std::string_view payload, uint32_t mask) {
    std::string out = frame_header(opcode, payload.size(), true);
    char key[4];
    std::memcpy(key, &mask, 4);
    out.append(key, 4);
    for (size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ key[i & 3]);
    return out;
}

std::string server_frame(Opcode opcode, std::string_view payload) {
    std::string out = frame_header(opcode, payload.size(), false);
    out += payload;
    return out;
}

std::string base64(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char *>(out.data()), reinterpret_cast<const unsigned char *>(bytes.data()),
                                       static_cast<int>(bytes.size()));
    out.resize(static_cast<size_t>(length));
    return out;
}

std::string accept_for(const std::string &key) {
    const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_Digest(text.data(), text.size(), digest, &length, EVP_sha1(), nullptr);
    return base64({reinterpret_cast<const char *>(digest), length});
}

}  // namespace bench
