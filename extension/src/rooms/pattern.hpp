// Room patterns: `order:{id}:owner`. Literal text with placeholders; `{{` and `}}` stand for the braces.
// A placeholder stands for one or more bytes without ':', so `order:{id}` never admits to `order:X:owner`.
// pulse.watch percent-encodes ':', '%' and control characters of a value that it puts into a room name; a pattern
// decodes what its placeholder matched, so a policy sees the value itself. At most one placeholder stands between two
// ':', since only ':' cannot occur in a value: `{a}-{b}` could be read in two ways.
// Pure: compiled into the unit tests too.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pulse::rooms {

class Pattern {
public:
    using Params = std::vector<std::pair<std::string, std::string>>;  // in the order of the pattern

    struct Parsed;
    static Parsed parse(std::string_view text);

    // The values of the placeholders, decoded; nullopt when the room is not of this pattern.
    std::optional<Params> match(std::string_view room) const;

    const std::string &text() const { return text_; }
    std::size_t literal_bytes() const { return literal_bytes_; }
    std::size_t placeholders() const { return placeholders_; }
    // Whether this pattern decides when both match: more literal bytes, then fewer placeholders. Equal ones are ordered
    // by the caller and at last by their text.
    bool operator==(const Pattern &other) const { return text_ == other.text_; }
    int compare_specificity(const Pattern &other) const;  // < 0: this one is more specific

private:
    struct Segment {  // what stands between two ':'
        std::string prefix, name, suffix;
        bool placeholder = false;
    };
    std::string text_;
    std::vector<Segment> segments_;
    std::size_t literal_bytes_ = 0;
    std::size_t placeholders_ = 0;
};

struct Pattern::Parsed {
    std::optional<Pattern> pattern;
    std::string error;  // why not
};

// Events that the bridge answers itself: they have no handler.
bool answered_by_bridge(std::string_view event);
extern const char *const kBridgeEventList;

}  // namespace pulse::rooms
