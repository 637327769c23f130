// One pass over the tokens with a stack of the open objects; not recursive.
#include "json/placeholders.hpp"

#include <algorithm>
#include <charconv>

#include "json/slice.hpp"

#include "pg/pure.hpp"

namespace pulse::json {

namespace {

struct Open {  // an object or an array
    bool object;
    std::string_view key;  // of the member under way, with its quotes
    bool marked = false;
    Placeholder found;
};

bool is(std::string_view key, std::string_view plain) {
    if (key.find('\\') == std::string_view::npos) return key.substr(1, key.size() - 2) == plain;
    return unescape(key) == plain;
}

std::size_t end_of_string(std::string_view text, std::size_t at) {
    for (++at; at < text.size() && text[at] != '"'; ++at)
        if (text[at] == '\\') ++at;
    return at < text.size() ? at + 1 : text.size();
}

std::size_t end_of_scalar(std::string_view text, std::size_t at) {
    const std::size_t end = text.find_first_of(" \t\n\r,:]}", at);
    return end == std::string_view::npos ? text.size() : end;
}

void take_value(Open &object, std::string_view value, std::size_t at) {
    if (is(object.key, "_placeholder")) {
        object.marked = value == "true";
    } else if (is(object.key, "num")) {
        std::size_t num = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), num);
        const bool plain = error == std::errc() && end == value.data() + value.size();
        object.found = {plain ? std::optional(num) : std::nullopt, at, value.size()};
    }
}

}  // namespace

std::vector<Placeholder> placeholders(std::string_view text) {
    std::vector<Placeholder> found;
    std::vector<Open> open;
    bool value = true;  // what comes next is a value, not a key
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c == '{' || c == '[') {
            if (!open.empty() && open.back().object) take_value(open.back(), {}, at);
            open.push_back({c == '{', {}, false, {}});
            value = c == '[';
            ++at;
        } else if (c == '}' || c == ']') {
            if (open.empty()) break;
            if (open.back().marked) found.push_back(open.back().found);
            open.pop_back();
            ++at;
        } else if (c == ',') {
            value = open.empty() || !open.back().object;
            ++at;
        } else if (c == ':') {
            value = true;
            ++at;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            ++at;
        } else {
            const std::size_t end = c == '"' ? end_of_string(text, at) : end_of_scalar(text, at);
            const std::string_view token = text.substr(at, end - at);
            if (!open.empty() && open.back().object) {
                if (value)
                    take_value(open.back(), token, at);
                else
                    open.back().key = token;
            }
            at = end > at ? end : at + 1;
        }
    }
    std::sort(found.begin(), found.end(), [](const Placeholder &a, const Placeholder &b) { return a.at < b.at; });
    return found;
}

}  // namespace pulse::json
