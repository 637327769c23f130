// Encoding and decoding.
#include "names/room_value.hpp"

#include "pg/pure.hpp"

namespace pulse::names {

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

void append_room_value(std::string &out, std::string_view value) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    for (const char byte : value) {
        const auto c = static_cast<unsigned char>(byte);
        if (c < 0x20 || c == 0x7F || c == ':' || c == '%') {
            out += '%';
            out += kHex[c >> 4];
            out += kHex[c & 15];
        } else {
            out += byte;
        }
    }
}

std::optional<std::string> decode_room_value(std::string_view value) {
    std::string result;
    result.reserve(value.size());
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (value[i] != '%') {
            result += value[i];
            continue;
        }
        if (i + 2 >= value.size()) return std::nullopt;
        const int high = hex_digit(value[i + 1]), low = hex_digit(value[i + 2]);
        if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
        result += static_cast<char>(high * 16 + low);
        i += 2;
    }
    if (!is_utf8(result)) return std::nullopt;
    return result;
}

bool is_utf8(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size();) {
        const auto byte = [&](std::size_t n) { return i + n < bytes.size() ? static_cast<unsigned char>(bytes[i + n]) : 0u; };
        const auto tail = [&](std::size_t n) { return (byte(n) & 0xC0) == 0x80; };
        const unsigned first = byte(0);
        if (first < 0x80) {
            i += 1;
        } else if (first >= 0xC2 && first <= 0xDF && tail(1)) {
            i += 2;
        } else if (first >= 0xE0 && first <= 0xEF && tail(1) && tail(2)) {
            if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return false;
            i += 3;
        } else if (first >= 0xF0 && first <= 0xF4 && tail(1) && tail(2) && tail(3)) {
            if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return false;
            i += 4;
        } else {
            return false;
        }
    }
    return true;
}

}  // namespace pulse::names
