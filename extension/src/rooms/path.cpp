// Parsing and matching of paths.
#include "rooms/path.hpp"

#include <algorithm>
#include <array>

#include "names/room_value.hpp"
#include "names/rules.hpp"

#include "pg/pure.hpp"

namespace pulse::rooms {

namespace {

// Calls f(segment, is last) for what stands between the slashes of "/a/b", until it returns false. False when it did, or for no path.
template <class F>
bool each_segment(std::string_view path, F f) {
    if (!path.starts_with('/')) return false;
    while (true) {
        path.remove_prefix(1);
        const std::size_t slash = path.find('/');
        if (!f(path.substr(0, slash), slash == std::string_view::npos)) return false;
        if (slash == std::string_view::npos) return true;
        path.remove_prefix(slash);
    }
}

bool is_name(std::string_view text) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    return !text.empty() && letter(text.front()) &&
           std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

bool is_text(std::string_view text) {
    return !text.empty() && names::is_utf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '{' || c == '}' || c == '?' || c == '#' || c == '%';
    });
}

}  // namespace

Path::Parsed Path::parse(std::string_view text) {
    if (text.size() > names::kMaxName) return {std::nullopt, "a path has at most 255 bytes"};
    if (!text.starts_with('/')) return {std::nullopt, "a path starts with '/'"};
    Path path;
    std::string error;
    each_segment(text, [&](std::string_view segment, bool) {
        if (segment.starts_with('{') && segment.ends_with('}')) {
            const std::string name(segment.substr(1, segment.size() - 2));
            if (!is_name(name)) error = "the name of a variable has letters, digits and '_' and starts with no digit";
            for (const Segment &other : path.segments_)
                if (other.variable && other.text == name) error = "variable \"" + name + "\" stands twice";
            path.segments_.push_back({name, true});
        } else if (is_text(segment) && segment != "." && segment != "..") {
            path.segments_.push_back({std::string(segment), false});
        } else {
            error = segment.empty() ? "nothing stands between two '/' or after the last one"
                                    : "between two '/' stands text, without spaces, control characters, '{', '}', '?', '#' and '%', or a "
                                      "whole {variable}";
        }
        return error.empty();
    });
    if (!error.empty()) return {std::nullopt, error};
    return {std::move(path), {}};
}

std::optional<Path::Params> Path::match(std::string_view path) const {
    Params params;
    std::size_t n = 0;
    const bool all = each_segment(path, [&](std::string_view segment, bool last) {
        if (n >= segments_.size() || last != (n + 1 == segments_.size())) return false;
        const Segment &own = segments_[n++];
        if (!own.variable) return segment == own.text;
        if (segment.empty()) return false;
        params.emplace_back(own.text, std::string(segment));
        return true;
    });
    if (!all) return std::nullopt;
    return params;
}

bool Path::more_specific(const Path &other) const {
    for (std::size_t n = 0; n < std::min(segments_.size(), other.segments_.size()); ++n)
        if (segments_[n].variable != other.segments_[n].variable) return other.segments_[n].variable;
    return false;
}

bool Path::alike(const Path &other) const {
    return std::equal(segments_.begin(), segments_.end(), other.segments_.begin(), other.segments_.end(),
                      [](const Segment &a, const Segment &b) { return a.variable == b.variable && (a.variable || a.text == b.text); });
}

const char *const kBridgePathList = "/socket.io, /engine.io, /ws, /sse, /poll, /health, /ready, /metrics, /dashboard";

bool path_of_bridge(std::string_view path) {
    static constexpr std::array<std::string_view, 9> kOwn{"socket.io", "engine.io", "ws",      "sse",      "poll",
                                                          "health",    "ready",     "metrics", "dashboard"};
    if (!path.starts_with('/')) return false;
    const std::string_view first = path.substr(1, path.find('/', 1) - 1);
    return std::find(kOwn.begin(), kOwn.end(), first) != kOwn.end();
}

}  // namespace pulse::rooms
