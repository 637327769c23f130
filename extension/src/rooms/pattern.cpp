// Parsing and matching of room patterns.
#include "rooms/pattern.hpp"

#include <algorithm>

#include "names/room_value.hpp"
#include "names/rules.hpp"

#include "pg/pure.hpp"

namespace pulse::rooms {

namespace {

bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool continues_name(char c) { return starts_name(c) || (c >= '0' && c <= '9'); }

}  // namespace

Pattern::Parsed Pattern::parse(std::string_view text) {
    if (text.empty()) return {std::nullopt, "a pattern is not empty"};
    if (text.size() > names::kMaxName) return {std::nullopt, "a pattern has at most 255 bytes"};
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
            std::optional<std::string> value = names::decode_room_value(part);
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

const char *const kBridgeEventList = "room:join, room:leave, auth:refresh, ping, heartbeat";

bool answered_by_bridge(std::string_view event) {
    return event == "room:join" || event == "room:leave" || event == "auth:refresh" || event == "ping" || event == "heartbeat";
}

}  // namespace pulse::rooms
