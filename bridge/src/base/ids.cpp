// Text forms of the ids. Parsers are strict: what they accept prints back to the same text.
#include "base/ids.hpp"

#include <charconv>

namespace bridge {

namespace {

constexpr std::size_t kEpochDigits = 16;

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool is_url_safe(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

}  // namespace

Result<Cursor> Cursor::parse(std::string_view text) {
    const auto malformed = [] { return Error{Errc::bad_request, "malformed cursor", {}}; };
    if (text.size() < kEpochDigits + 2 || text[kEpochDigits] != ':') return malformed();
    for (char c : text.substr(0, kEpochDigits)) {
        if (!is_hex(c)) return malformed();
    }
    const std::string_view digits = text.substr(kEpochDigits + 1);
    if (digits.size() > 1 && digits[0] == '0') return malformed();
    Cursor cursor;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), cursor.position.value);
    if (failure != std::errc{} || end != digits.data() + digits.size()) return malformed();
    cursor.epoch = text.substr(0, kEpochDigits);
    return cursor;
}

std::string Cursor::text() const { return epoch + ':' + std::to_string(position.value); }

Result<PublicId> PublicId::parse(std::string_view text) {
    if (text.size() != kSize) return Error{Errc::bad_request, "malformed id", {}};
    PublicId id;
    for (std::size_t i = 0; i < kSize; ++i) {
        if (!is_url_safe(text[i])) return Error{Errc::bad_request, "malformed id", {}};
        id.chars[i] = text[i];
    }
    return id;
}

}  // namespace bridge
