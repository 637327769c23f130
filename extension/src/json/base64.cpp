// Three bytes are four digits.
#include "json/base64.hpp"

#include <cstdint>

#include "pg/pure.hpp"

namespace pulse::json {

namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

void append_base64(std::string &out, std::string_view bytes) {
    out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::size_t count = bytes.size() - at < 3 ? bytes.size() - at : 3;
        std::uint32_t three = 0;
        for (std::size_t n = 0; n < 3; ++n) three = three << 8 | (n < count ? static_cast<std::uint8_t>(bytes[at + n]) : 0U);
        out += kDigits[three >> 18];
        out += kDigits[three >> 12 & 63];
        out += count > 1 ? kDigits[three >> 6 & 63] : '=';
        out += count > 2 ? kDigits[three & 63] : '=';
    }
}

std::string base64(std::string_view bytes) {
    std::string out;
    append_base64(out, bytes);
    return out;
}

std::string base64_url(std::string_view bytes) {
    std::string out = base64(bytes);
    std::erase(out, '=');
    for (char &c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return out;
}

std::optional<std::string> base64_decoded(std::string_view text) {
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    if (text.size() % 4 == 1) return std::nullopt;
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        const std::size_t value = kDigits.find(c == '-' ? '+' : c == '_' ? '/' : c);
        if (value == std::string_view::npos) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out += static_cast<char>(bits >> count & 255);
    }
    return out;
}

}  // namespace pulse::json
