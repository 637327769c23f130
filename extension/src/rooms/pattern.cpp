// Parsing and matching of room patterns.
#include "rooms/pattern.hpp"

#include <algorithm>

#include "pg/pure.hpp"

namespace pulse::rooms {

namespace {

bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool continues_name(char c) { return starts_name(c) || (c >= '0' && c <= '9'); }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

Pattern::Parsed Pattern::parse(std::string_view text) {
    if (text.empty()) return {std::nullopt, "a pattern is not empty"};
    if (text.size() > kMaxRoomBytes) return {std::nullopt, "a pattern has at most 255 bytes"};
    Pattern pattern;
    pattern.text_ = text;
    std::vector<std::string> names;
    Segment segment;
    const auto literal = [&](char c) {
        (segment.placeholder ? segment.suffix : segment.prefix) += c;
        ++pattern.literal_bytes_;
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == ':') {
            ++pattern.literal_bytes_;
            pattern.segments_.push_back(std::exchange(segment, {}));
        } else if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
            literal(c);
            ++i;
        } else if (c == '}') {
            return {std::nullopt, "a '}' without its '{'; write '}}' for the character itself"};
        } else if (c == '{') {
            const std::size_t end = text.find('}', i);
            if (end == std::string_view::npos) return {std::nullopt, "a '{' without its '}'; write '{{' for the character itself"};
            const std::string_view name = text.substr(i + 1, end - i - 1);
            if (name.empty() || !starts_name(name.front()) || !std::all_of(name.begin(), name.end(), continues_name))
                return {std::nullopt, "the name of a placeholder has letters, digits and '_' and starts with no digit"};
            if (std::find(names.begin(), names.end(), name) != names.end())
                return {std::nullopt, "placeholder \"" + std::string(name) + "\" stands twice"};
            if (segment.placeholder)
                return {std::nullopt, "two placeholders need a ':' between them, the only character that no value contains"};
            names.emplace_back(name);
            segment.placeholder = true;
            segment.name = name;
            ++pattern.placeholders_;
            i = end;
        } else {
            literal(c);
        }
    }
    pattern.segments_.push_back(std::move(segment));
    return {std::move(pattern), {}};
}

std::optional<Pattern::Params> Pattern::match(std::string_view room) const {
    Params params;
    std::size_t start = 0;
    for (std::size_t n = 0; n < segments_.size(); ++n) {
        const std::size_t colon = room.find(':', start);
        const bool last = n + 1 == segments_.size();
        if (last != (colon == std::string_view::npos)) return std::nullopt;
        std::string_view part = room.substr(start, last ? std::string_view::npos : colon - start);
        const Segment &segment = segments_[n];
        if (!segment.placeholder) {
            if (part != segment.prefix) return std::nullopt;
        } else {
            if (part.size() <= segment.prefix.size() + segment.suffix.size() || !part.starts_with(segment.prefix) ||
                !part.ends_with(segment.suffix))
                return std::nullopt;
            part.remove_prefix(segment.prefix.size());
            part.remove_suffix(segment.suffix.size());
            std::optional<std::string> value = decode_value(part);
            if (!value) return std::nullopt;
            params.emplace_back(segment.name, std::move(*value));
        }
        start = colon + 1;
    }
    return params;
}

int Pattern::compare_specificity(const Pattern &other) const {
    if (literal_bytes_ != other.literal_bytes_) return literal_bytes_ > other.literal_bytes_ ? -1 : 1;
    if (placeholders_ != other.placeholders_) return placeholders_ < other.placeholders_ ? -1 : 1;
    return 0;
}

std::string encode_value(std::string_view value) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string result;
    result.reserve(value.size());
    for (const char c : value) {
        if (c == ':' || c == '%' || is_control(c)) {
            result += '%';
            result += kHex[static_cast<unsigned char>(c) >> 4];
            result += kHex[static_cast<unsigned char>(c) & 0xF];
        } else {
            result += c;
        }
    }
    return result;
}

std::optional<std::string> decode_value(std::string_view value) {
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

std::string_view room_problem(std::string_view room) {
    if (room.empty()) return "a room's name is not empty";
    if (room.size() > kMaxRoomBytes) return "a room's name has at most 255 bytes";
    if (std::any_of(room.begin(), room.end(), is_control)) return "a room's name has no control characters";
    return {};
}

// Socket.IO's own names: a client would take such an event for a change of its connection.
std::string_view event_problem(std::string_view event) {
    if (event.empty()) return "an event's name is not empty";
    if (event.size() > 255) return "an event's name has at most 255 bytes";
    if (std::any_of(event.begin(), event.end(), is_control)) return "an event's name has no control characters";
    for (const std::string_view reserved : {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
        if (event == reserved)
            return "this name is reserved (connect, connect_error, disconnect, disconnecting, newListener, removeListener)";
    return {};
}

const char *const kBridgeEventList = "room:join, room:leave, ping, heartbeat";

bool answered_by_bridge(std::string_view event) {
    return event == "room:join" || event == "room:leave" || event == "ping" || event == "heartbeat";
}

}  // namespace pulse::rooms
