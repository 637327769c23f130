// UTF-8 that comes in pieces: says at the earliest byte that it is none. RFC 3629: no surrogates, nothing overlong, up to U+10FFFF.
#pragma once

#include <cstdint>
#include <string_view>

namespace bridge::codec {

class Utf8 {
public:
    bool feed(std::string_view piece);  // false: never again anything but false
    bool complete() const { return expected_ == 0; }

private:
    std::uint8_t expected_ = 0;  // bytes of the character under way
    std::uint8_t low_ = 0x80;    // bounds of the next one
    std::uint8_t high_ = 0xbf;
    bool failed_ = false;
};

}  // namespace bridge::codec
