// The scanner is one loop with an explicit stack of open brackets: its work is linear, its memory is bounded by max_depth, and it
// never recurses. parse() scans first, so that nlohmann only ever sees text that is valid and shallow.
#include "base/json.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

namespace bridge::json {

namespace {

Error bad(const char *what) { return {Errc::bad_request, what, {}}; }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

void append_utf8(std::string &out, std::uint32_t code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xc0 | code >> 6);
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xe0 | code >> 12);
        out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | code >> 18);
        out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
        out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    }
}

// Position in a text; every step_… leaves it behind what it accepted, or returns false.
struct Cursor {
    std::string_view text;
    std::size_t at = 0;

    bool done() const { return at == text.size(); }
    char peek() const { return at < text.size() ? text[at] : '\0'; }
    void skip_space() {
        while (at < text.size() && is_space(text[at])) ++at;
    }
    bool step_word(std::string_view word) {
        if (text.substr(at, word.size()) != word) return false;
        at += word.size();
        return true;
    }
    bool step_digits() {
        const std::size_t from = at;
        while (at < text.size() && is_digit(text[at])) ++at;
        return at > from;
    }
    bool step_number() {
        if (peek() == '-') ++at;
        if (peek() == '0') {
            ++at;
        } else if (!step_digits()) {
            return false;
        }
        if (peek() == '.') {
            ++at;
            if (!step_digits()) return false;
        }
        if (peek() == 'e' || peek() == 'E') {
            ++at;
            if (peek() == '+' || peek() == '-') ++at;
            if (!step_digits()) return false;
        }
        return true;
    }
    bool step_string() {
        if (peek() != '"') return false;
        for (++at; at < text.size(); ++at) {
            const char c = text[at];
            if (c == '"') {
                ++at;
                return true;
            }
            if (static_cast<unsigned char>(c) < 0x20) return false;
            if (c != '\\') continue;
            if (++at == text.size()) return false;
            switch (text[at]) {
                case '"':
                case '\\':
                case '/':
                case 'b':
                case 'f':
                case 'n':
                case 'r':
                case 't': break;
                case 'u':
                    if (text.size() - at < 5) return false;
                    for (int i = 1; i <= 4; ++i) {
                        if (hex_value(text[at + static_cast<std::size_t>(i)]) < 0) return false;
                    }
                    at += 4;
                    break;
                default: return false;
            }
        }
        return false;
    }
};

// Decoded text of a literal that step_string accepted. False: a lone surrogate.
bool decode_string(std::string_view literal, std::string &out) {
    const std::string_view body = literal.substr(1, literal.size() - 2);
    const auto unit = [&](std::size_t at) {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < 4; ++i) value = value << 4 | static_cast<std::uint32_t>(hex_value(body[at + i]));
        return value;
    };
    for (std::size_t i = 0; i < body.size(); ++i) {
        if (body[i] != '\\') {
            out += body[i];
            continue;
        }
        switch (body[++i]) {
            case 'b': out += '\b'; break;
            case 'f': out += '\f'; break;
            case 'n': out += '\n'; break;
            case 'r': out += '\r'; break;
            case 't': out += '\t'; break;
            case 'u': {
                std::uint32_t code = unit(i + 1);
                i += 4;
                if (code >= 0xdc00 && code <= 0xdfff) return false;
                if (code >= 0xd800 && code <= 0xdbff) {
                    if (body.substr(i + 1, 2) != "\\u") return false;
                    const std::uint32_t low = unit(i + 3);
                    if (low < 0xdc00 || low > 0xdfff) return false;
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    i += 6;
                }
                append_utf8(out, code);
                break;
            }
            default: out += body[i];
        }
    }
    return true;
}

// Told of each value directly inside the outermost array or object.
struct Visitor {
    virtual ~Visitor() = default;
    virtual bool child(std::string_view key_literal, std::string_view value) = 0;
};

class Scanner {
public:
    Scanner(std::string_view text, const Limits &limits, Visitor *visitor) : in_{text}, limits_(limits), visitor_(visitor) {}

    Result<Kind> run() {
        if (in_.text.size() > limits_.max_bytes) return bad("JSON text is too long");
        if (!valid_utf8(in_.text)) return bad("JSON text is not UTF-8");
        in_.skip_space();
        const Kind kind = kind_of(in_.peek());
        for (;;) {
            if (const char *what = value()) return bad(what);
            // after a value: close what can be closed, then go to the next value of the innermost open bracket
            for (;;) {
                if (open_.empty()) {
                    in_.skip_space();
                    if (!in_.done()) return bad("text after the JSON value");
                    return kind;
                }
                in_.skip_space();
                if (in_.peek() == ',') {
                    ++in_.at;
                    break;
                }
                if (in_.peek() != (open_.back().object ? '}' : ']')) return bad("malformed JSON");
                if (const char *what = close()) return bad(what);
            }
            if (const char *what = before_value()) return bad(what);
        }
    }

private:
    struct Open {
        bool object;
        std::size_t from;                         // of the bracket
        std::string_view outer_key;               // key of this container in its own parent
        std::set<std::string, std::less<>> keys;  // only with refuse_duplicate_keys
    };

    static Kind kind_of(char first) {
        switch (first) {
            case '{': return Kind::object;
            case '[': return Kind::array;
            case '"': return Kind::string;
            case 't':
            case 'f': return Kind::boolean;
            case 'n': return Kind::null;
            default: return Kind::number;
        }
    }

    // One scalar, or opening brackets down to the first scalar or empty container. Null: fine.
    const char *value() {
        for (;;) {
            in_.skip_space();
            const char c = in_.peek();
            const std::size_t from = in_.at;
            if (c == '{' || c == '[') {
                if (open_.size() >= limits_.max_depth) return "JSON is nested too deep";
                open_.push_back({c == '{', from, key_, {}});
                key_ = {};
                ++in_.at;
                in_.skip_space();
                if (in_.peek() == (c == '{' ? '}' : ']')) return close();
                if (const char *what = before_value()) return what;
                continue;
            }
            bool good = false;
            switch (c) {
                case '"': good = in_.step_string(); break;
                case 't': good = in_.step_word("true"); break;
                case 'f': good = in_.step_word("false"); break;
                case 'n': good = in_.step_word("null"); break;
                default: good = in_.step_number();
            }
            if (!good) return "malformed JSON";
            return tell(from);
        }
    }

    // In an object: key and colon. In an array: nothing.
    const char *before_value() {
        if (!open_.back().object) return nullptr;
        in_.skip_space();
        const std::size_t from = in_.at;
        if (!in_.step_string()) return "malformed JSON";
        key_ = in_.text.substr(from, in_.at - from);
        if (limits_.refuse_duplicate_keys) {
            std::string decoded;
            if (!decode_string(key_, decoded)) return "lone surrogate in a key";
            if (!open_.back().keys.insert(std::move(decoded)).second) return "duplicate key";
        }
        in_.skip_space();
        if (in_.peek() != ':') return "malformed JSON";
        ++in_.at;
        return nullptr;
    }

    const char *close() {
        ++in_.at;
        const std::size_t from = open_.back().from;
        key_ = open_.back().outer_key;
        open_.pop_back();
        return tell(from);
    }

    const char *tell(std::size_t from) {
        if (visitor_ && open_.size() == 1 && !visitor_->child(key_, in_.text.substr(from, in_.at - from))) {
            return "JSON has too many elements";
        }
        return nullptr;
    }

    Cursor in_;
    const Limits &limits_;
    Visitor *visitor_;
    std::vector<Open> open_;
    std::string_view key_;
};

}  // namespace

Result<Kind> scan(std::string_view text, const Limits &limits) { return Scanner(text, limits, nullptr).run(); }

Result<Value> parse(std::string_view text, const Limits &limits) {
    BRIDGE_CHECK(scan(text, limits));
    Value value = Value::parse(text.begin(), text.end(), nullptr, false);
    if (value.is_discarded()) return bad("malformed JSON");  // a lone surrogate: fine to pass on, not to understand
    return value;
}

Result<std::vector<std::string_view>> elements(std::string_view text, const Limits &limits, std::size_t max_elements) {
    struct Collect final : Visitor {
        std::vector<std::string_view> found;
        std::size_t max;
        bool child(std::string_view, std::string_view value) override {
            found.push_back(value);
            return found.size() <= max;
        }
    } collect;
    collect.max = max_elements;
    BRIDGE_TRY(kind, Scanner(text, limits, &collect).run());
    if (kind != Kind::array) return bad("JSON is not an array");
    return std::move(collect.found);
}

Result<std::vector<Member>> members(std::string_view text, const Limits &limits, std::size_t max_members, DuplicateKeys duplicates) {
    struct Collect final : Visitor {
        std::vector<Member> found;
        std::size_t max;
        bool child(std::string_view key_literal, std::string_view value) override {
            Member &member = found.emplace_back();
            if (!key_literal.empty()) decode_string(key_literal, member.key);
            member.value = value;
            return found.size() <= max;
        }
    } collect;
    collect.max = max_members;
    Limits strict = limits;
    strict.refuse_duplicate_keys = duplicates == DuplicateKeys::refused;
    BRIDGE_TRY(kind, Scanner(text, strict, &collect).run());
    if (kind != Kind::object) return bad("JSON is not an object");
    return std::move(collect.found);
}

Result<std::string> unquote(std::string_view literal) {
    Cursor in{literal};
    if (!valid_utf8(literal) || !in.step_string() || !in.done()) return bad("not a JSON string");
    std::string out;
    out.reserve(literal.size());
    if (!decode_string(literal, out)) return bad("lone surrogate in a string");
    return out;
}

void append_quoted(std::string &out, std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    out += '"';
    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        switch (c) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\b': out += "\\b"; break;
            case '\f': out += "\\f"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            default:
                if (byte < 0x20 || byte == 0x7f) {
                    out += "\\u00";
                    out += kHex[byte >> 4];
                    out += kHex[byte & 15];
                } else {
                    out += c;
                }
        }
    }
    out += '"';
}

std::string quote(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 2);
    append_quoted(out, text);
    return out;
}

bool valid_utf8(std::string_view text) {
    const auto *p = reinterpret_cast<const unsigned char *>(text.data());
    const auto *end = p + text.size();
    while (p < end) {
        if (*p < 0x80) {
            ++p;
            continue;
        }
        // length, and the smallest and largest second byte: refuses overlong forms, surrogates and > U+10FFFF
        int more;
        unsigned char low = 0x80, high = 0xbf;
        if (*p >= 0xc2 && *p <= 0xdf) {
            more = 1;
        } else if (*p >= 0xe0 && *p <= 0xef) {
            more = 2;
            if (*p == 0xe0) low = 0xa0;
            if (*p == 0xed) high = 0x9f;
        } else if (*p >= 0xf0 && *p <= 0xf4) {
            more = 3;
            if (*p == 0xf0) low = 0x90;
            if (*p == 0xf4) high = 0x8f;
        } else {
            return false;
        }
        if (end - p <= more || p[1] < low || p[1] > high) return false;
        for (int i = 2; i <= more; ++i) {
            if (p[i] < 0x80 || p[i] > 0xbf) return false;
        }
        p += more + 1;
    }
    return true;
}

}  // namespace bridge::json
