// The second byte of a character has tighter bounds after E0, ED, F0 and F4; all that is forbidden is forbidden there.
#include "codec/utf8.hpp"

#include <cstring>

namespace bridge::codec {

namespace {
constexpr std::uint64_t kHighBits = 0x8080808080808080U;
}

bool Utf8::feed(std::string_view piece) {
    if (failed_) return false;
    const char *at = piece.data();
    const char *const end = at + piece.size();
    while (at < end) {
        if (expected_ == 0) {
            while (end - at >= 8) {  // ASCII goes by in words
                std::uint64_t word;
                std::memcpy(&word, at, sizeof word);
                if ((word & kHighBits) != 0) break;
                at += 8;
            }
            if (at == end) break;
        }
        const auto byte = static_cast<std::uint8_t>(*at++);
        if (expected_ > 0) {
            if (byte < low_ || byte > high_) return !(failed_ = true);
            --expected_;
            low_ = 0x80;
            high_ = 0xbf;
        } else if (byte >= 0x80) {
            if (byte < 0xc2 || byte > 0xf4) return !(failed_ = true);
            expected_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
            if (byte == 0xe0) low_ = 0xa0;
            if (byte == 0xed) high_ = 0x9f;
            if (byte == 0xf0) low_ = 0x90;
            if (byte == 0xf4) high_ = 0x8f;
        }
    }
    return true;
}

}  // namespace bridge::codec
