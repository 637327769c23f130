// The alphabet of GSM-7 and the sizes of the parts.
#include "queue/segments.hpp"

#include <cstdint>
#include <string>

#include "pg/pure.hpp"

namespace pulse::queue {

namespace {

constexpr std::u32string_view kBasic = U"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
                                       U"¿abcdefghijklmnopqrstuvwxyzäöñüà";
constexpr std::u32string_view kExtended = U"\f^{}\\[~]|€";  // an escape and a character: two places

// Lenient: a byte that is no UTF-8 counts as a character of its own, which no alphabet has.
std::u32string decode(std::string_view text) {
    std::u32string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto first = static_cast<unsigned char>(text[at]);
        const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        std::uint32_t code = length == 1 ? first : first & (0xFFU >> (length + 1));
        if (at + length > text.size()) break;
        for (std::size_t n = 1; n < length; ++n) code = code << 6 | (static_cast<unsigned char>(text[at + n]) & 0x3FU);
        out += static_cast<char32_t>(code);
        at += length;
    }
    return out;
}

// Parts of at most `part` places, when the whole is more than `single`.
template <class Size>
int count(const std::u32string &text, int single, int part, Size &&size) {
    int all = 0;
    for (const char32_t c : text) all += size(c);
    if (all == 0) return 0;
    if (all <= single) return 1;
    int parts = 1, used = 0;
    for (const char32_t c : text) {
        if (used + size(c) > part) {
            ++parts;
            used = 0;
        }
        used += size(c);
    }
    return parts;
}

}  // namespace

Segments segments(std::string_view text) {
    const std::u32string characters = decode(text);
    const auto units = [](char32_t c) { return c > 0xFFFF ? 2 : 1; };
    Segments out{true, 0, 0};
    for (const char32_t c : characters) {
        out.characters += units(c);
        if (kBasic.find(c) == kBasic.npos && kExtended.find(c) == kExtended.npos) out.gsm7 = false;
    }
    if (out.gsm7)
        out.count = count(characters, 160, 153, [](char32_t c) { return kExtended.find(c) == kExtended.npos ? 1 : 2; });
    else
        out.count = count(characters, 70, 67, units);
    return out;
}

}  // namespace pulse::queue
