// Table-driven base64 in two alphabets.
#include "base/base64.hpp"

#include <array>
#include <cstdint>

namespace bridge::base64 {

namespace {

constexpr std::string_view kStandard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> reverse(std::string_view alphabet) {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    }
    return table;
}
constexpr auto kStandardValues = reverse(kStandard);
constexpr auto kUrlValues = reverse(kUrl);

std::string encode_with(std::string_view alphabet, std::string_view bytes, bool padded) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    std::size_t i = 0;
    const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at])); };
    for (; i + 3 <= bytes.size(); i += 3) {
        const std::uint32_t word = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        for (int shift = 18; shift >= 0; shift -= 6) out += alphabet[word >> shift & 63];
    }
    if (const std::size_t left = bytes.size() - i; left > 0) {
        const std::uint32_t word = byte(i) << 16 | (left == 2 ? byte(i + 1) << 8 : 0);
        out += alphabet[word >> 18 & 63];
        out += alphabet[word >> 12 & 63];
        if (left == 2) out += alphabet[word >> 6 & 63];
        if (padded) out.append(3 - left, '=');
    }
    return out;
}

std::optional<std::string> decode_with(const std::array<std::int8_t, 256> &values, std::string_view text) {
    if (text.size() % 4 == 1) return std::nullopt;
    std::string out;
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t word = 0;
    int bits = 0;
    for (char c : text) {
        const std::int8_t value = values[static_cast<unsigned char>(c)];
        if (value < 0) return std::nullopt;
        word = word << 6 | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out += static_cast<char>(word >> bits & 0xff);
        }
    }
    if ((word & ((1U << bits) - 1)) != 0) return std::nullopt;  // stray bits: another text for the same bytes
    return out;
}

}  // namespace

std::optional<std::string> decode(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    if (text.ends_with("==")) {
        text.remove_suffix(2);
    } else if (text.ends_with('=')) {
        text.remove_suffix(1);
    }
    return decode_with(kStandardValues, text);
}

std::optional<std::string> decode_url(std::string_view text) { return decode_with(kUrlValues, text); }
std::string encode(std::string_view bytes) { return encode_with(kStandard, bytes, true); }
std::string encode_url(std::string_view bytes) { return encode_with(kUrl, bytes, false); }

}  // namespace bridge::base64
