// Splitting, unescaping and writing JSON text.
#include "json/slice.hpp"

#include "pg/pure.hpp"

namespace pulse::json {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::size_t skip_space(std::string_view text, std::size_t at) {
    while (at < text.size() && is_space(text[at])) ++at;
    return at;
}

// Position of the first quote, backslash or NUL from `at` on, or the end.
std::size_t end_of_plain(std::string_view text, std::size_t at) {
    while (at < text.size() && text[at] != '"' && text[at] != '\\' && text[at] != '\0') ++at;
    return at;
}

// Position after the string that starts at `at`, or npos.
std::size_t skip_string(std::string_view text, std::size_t at) {
    for (++at; at < text.size(); ++at) {
        if (text[at] == '\\')
            ++at;
        else if (text[at] == '"')
            return at + 1;
    }
    return std::string_view::npos;
}

// Position after the value that starts at `at`, or npos. Not recursive: depth is only counted.
std::size_t skip_value(std::string_view text, std::size_t at) {
    if (at >= text.size()) return std::string_view::npos;
    if (text[at] == '"') return skip_string(text, at);
    if (text[at] != '{' && text[at] != '[') {
        const std::size_t start = at;
        while (at < text.size() && !is_space(text[at]) && text[at] != ',' && text[at] != ']' && text[at] != '}' && text[at] != ':' &&
               text[at] != '"' && text[at] != '{' && text[at] != '[')
            ++at;
        return at > start ? at : std::string_view::npos;
    }
    std::size_t depth = 0;
    while (at < text.size()) {
        const char c = text[at];
        if (c == '"') {
            at = skip_string(text, at);
            if (at == std::string_view::npos) return at;
            continue;
        }
        if (c == '{' || c == '[')
            ++depth;
        else if ((c == '}' || c == ']') && --depth == 0)
            return at + 1;
        ++at;
    }
    return std::string_view::npos;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// The four hex digits at `at`, or -1.
int hex4(std::string_view text, std::size_t at) {
    if (at + 4 > text.size()) return -1;
    int value = 0;
    for (std::size_t i = at; i < at + 4; ++i) {
        const int digit = hex_digit(text[i]);
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

void append_utf8(std::string &to, std::uint32_t code) {
    if (code < 0x80) {
        to += static_cast<char>(code);
    } else if (code < 0x800) {
        to += static_cast<char>(0xC0 | (code >> 6));
        to += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        to += static_cast<char>(0xE0 | (code >> 12));
        to += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
        to += static_cast<char>(0x80 | (code & 0x3F));
    } else {
        to += static_cast<char>(0xF0 | (code >> 18));
        to += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
        to += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
        to += static_cast<char>(0x80 | (code & 0x3F));
    }
}

// Calls each(position of an item) for the items between the brackets; each returns the position after it or npos.
template <class Each>
bool walk(std::string_view text, char open, char close, Each &&each) {
    if (text.size() < 2 || text.front() != open || text.back() != close) return false;
    std::size_t at = skip_space(text, 1);
    if (at < text.size() && text[at] == close) return at + 1 == text.size();
    for (;;) {
        at = each(at);
        if (at == std::string_view::npos) return false;
        at = skip_space(text, at);
        if (at >= text.size()) return false;
        if (text[at] == close) return at + 1 == text.size();
        if (text[at] != ',') return false;
        at = skip_space(text, at + 1);
    }
}

}  // namespace

std::string_view trim(std::string_view text) {
    std::size_t start = skip_space(text, 0);
    std::size_t end = text.size();
    while (end > start && is_space(text[end - 1])) --end;
    return text.substr(start, end - start);
}

bool has_unreadable_escape(std::string_view json) {
    for (std::size_t at = json.find('\\'); at != std::string_view::npos; at = json.find('\\', at)) {
        if (at + 1 >= json.size() || json[at + 1] != 'u') {
            at += 2;
            continue;
        }
        const int code = hex4(json, at + 2);
        const bool high = code >= 0xD800 && code < 0xDC00, low = code >= 0xDC00 && code < 0xE000;
        if (code == 0 || low) return true;
        at += 6;
        if (!high) continue;
        const int next = json.substr(std::min(at, json.size()), 2) == "\\u" ? hex4(json, at + 2) : -1;
        if (next < 0xDC00 || next >= 0xE000) return true;
        at += 6;
    }
    return false;
}

Kind kind(std::string_view text) {
    text = trim(text);
    if (text.empty()) return Kind::kInvalid;
    switch (text.front()) {
        case '{': return Kind::kObject;
        case '[': return Kind::kArray;
        case '"': return Kind::kString;
        case 't':
        case 'f': return Kind::kBoolean;
        case 'n': return Kind::kNull;
        default: return text.front() == '-' || (text.front() >= '0' && text.front() <= '9') ? Kind::kNumber : Kind::kInvalid;
    }
}

std::optional<std::vector<Member>> members(std::string_view object) {
    object = trim(object);
    std::vector<Member> result;
    result.reserve(16);
    const bool ok = walk(object, '{', '}', [&](std::size_t at) -> std::size_t {
        if (object[at] != '"') return std::string_view::npos;
        const std::size_t key_end = skip_string(object, at);
        if (key_end == std::string_view::npos) return key_end;
        std::optional<std::string> key = unescape(object.substr(at, key_end - at));
        std::size_t value = skip_space(object, key_end);
        if (value >= object.size() || object[value] != ':') return std::string_view::npos;
        value = skip_space(object, value + 1);
        const std::size_t end = skip_value(object, value);
        if (end != std::string_view::npos && key) result.push_back({std::move(*key), object.substr(value, end - value)});
        return end;
    });
    if (!ok) return std::nullopt;
    return result;
}

std::optional<std::vector<std::string_view>> elements(std::string_view array) {
    array = trim(array);
    std::vector<std::string_view> result;
    const bool ok = walk(array, '[', ']', [&](std::size_t at) {
        const std::size_t end = skip_value(array, at);
        if (end != std::string_view::npos) result.push_back(array.substr(at, end - at));
        return end;
    });
    if (!ok) return std::nullopt;
    return result;
}

std::optional<std::string> unescape(std::string_view string) {
    string = trim(string);
    if (string.size() < 2 || string.front() != '"' || string.back() != '"') return std::nullopt;
    string = string.substr(1, string.size() - 2);
    std::string result;
    result.reserve(string.size());
    for (std::size_t i = 0; i < string.size(); ++i) {
        const std::size_t special = end_of_plain(string, i);
        result.append(string, i, special - i);
        i = special;
        if (i >= string.size()) break;
        if (string[i] != '\\' || ++i >= string.size()) return std::nullopt;
        switch (string[i]) {
            case '"':
            case '\\':
            case '/': result += string[i]; break;
            case 'b': result += '\b'; break;
            case 'f': result += '\f'; break;
            case 'n': result += '\n'; break;
            case 'r': result += '\r'; break;
            case 't': result += '\t'; break;
            case 'u': {
                int code = hex4(string, i + 1);
                if (code <= 0) return std::nullopt;
                i += 4;
                if (code >= 0xDC00 && code <= 0xDFFF) return std::nullopt;  // low surrogate alone
                if (code >= 0xD800 && code <= 0xDBFF) {
                    const int low = i + 2 < string.size() && string[i + 1] == '\\' && string[i + 2] == 'u' ? hex4(string, i + 3) : -1;
                    if (low < 0xDC00 || low > 0xDFFF) return std::nullopt;
                    i += 6;
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                }
                append_utf8(result, static_cast<std::uint32_t>(code));
                break;
            }
            default: return std::nullopt;
        }
    }
    return result;
}

void append_escaped(std::string &to, std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::size_t copied = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        to.append(text, copied, i - copied);
        copied = i + 1;
        to += '\\';
        switch (c) {
            case '\b': to += 'b'; break;
            case '\f': to += 'f'; break;
            case '\n': to += 'n'; break;
            case '\r': to += 'r'; break;
            case '\t': to += 't'; break;
            case '"':
            case '\\': to += static_cast<char>(c); break;
            default:
                to += "u00";
                to += kHex[c >> 4];
                to += kHex[c & 0xF];
        }
    }
    to.append(text, copied);
}

void append_quoted(std::string &to, std::string_view text) {
    to += '"';
    append_escaped(to, text);
    to += '"';
}

std::string quoted(std::string_view text) {
    std::string result;
    result.reserve(text.size() + 2);
    append_quoted(result, text);
    return result;
}

std::string compact(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = at;
        while (end < text.size() && text[end] != '"' && !is_space(text[end])) ++end;
        if (end < text.size() && text[end] == '"') end = std::min(skip_string(text, end), text.size());
        result.append(text, at, end - at);
        at = skip_space(text, end);
    }
    return result;
}

std::optional<std::string_view> find(const std::vector<Member> &members, std::string_view key) {
    for (auto it = members.rbegin(); it != members.rend(); ++it)
        if (it->key == key) return it->value;
    return std::nullopt;
}

}  // namespace pulse::json
