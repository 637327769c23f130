// A JSON checker with one state per kind of token that may come next.
#include "json/check.hpp"

#include <vector>

#include "pg/pure.hpp"

namespace pulse::json {

namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Position of the first quote, backslash or control character from `at` on, or the end.
size_t end_of_plain(std::string_view text, size_t at) {
    while (at < text.size() && static_cast<unsigned char>(text[at]) >= 0x20 && text[at] != '"' && text[at] != '\\') ++at;
    return at;
}

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

class Checker {
public:
    Checker(std::string_view text, std::string &out) : text_(text), out_(out) {}

    std::optional<SyntaxError> run() {
        out_.reserve(out_.size() + text_.size());
        if (!value()) return error_;
        skip_space();
        if (at_ < text_.size()) return SyntaxError{at_, "text after the end of the JSON value"};
        return std::nullopt;
    }

private:
    bool fail(const char *message) {
        error_ = SyntaxError{at_, message};
        return false;
    }
    bool end() const { return at_ >= text_.size(); }
    char peek() const { return text_[at_]; }
    void skip_space() {
        while (!end() && is_space(peek())) ++at_;
    }

    // A value with all that is nested in it.
    bool value() {
        for (;;) {
            skip_space();
            if (end()) return fail(text_.empty() || out_.empty() ? "empty text is no JSON" : "unexpected end of JSON");
            const char c = peek();
            if (c == '{' || c == '[') {
                if (objects_.size() >= kMaxDepth) return fail("JSON is nested too deeply");
                const bool object = c == '{';
                objects_.push_back(object);
                out_ += c;
                ++at_;
                skip_space();
                if (!end() && peek() == (object ? '}' : ']')) {
                    if (!close()) return false;
                } else {
                    if (object && !key()) return false;
                    continue;
                }
            } else if (!scalar(c)) {
                return false;
            }
            // A value has ended: close what ends with it, or go to the next one.
            for (;;) {
                if (objects_.empty()) return true;
                skip_space();
                if (end()) return fail("unexpected end of JSON");
                const bool object = objects_.back();
                if (peek() == ',') {
                    out_ += ',';
                    ++at_;
                    if (object) {
                        skip_space();
                        if (!key()) return false;
                    }
                    break;
                }
                if (peek() != (object ? '}' : ']')) return fail(object ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
                if (!close()) return false;
            }
        }
    }

    bool close() {
        out_ += peek();
        ++at_;
        objects_.pop_back();
        return true;
    }

    bool key() {
        if (end() || peek() != '"') return fail("expected a key in double quotes");
        if (!string()) return false;
        skip_space();
        if (end() || peek() != ':') return fail("expected \":\" after a key");
        out_ += ':';
        ++at_;
        return true;
    }

    bool scalar(char c) {
        switch (c) {
            case '"': return string();
            case 't': return word("true");
            case 'f': return word("false");
            case 'n': return word("null");
            default:
                if (c == '-' || is_digit(c)) return number();
                return fail("unexpected character in JSON");
        }
    }

    bool word(std::string_view expected) {
        if (text_.substr(at_, expected.size()) != expected) return fail("unexpected word in JSON");
        at_ += expected.size();
        out_ += expected;
        return true;
    }

    bool digits() {
        if (end() || !is_digit(peek())) return fail("expected a digit");
        while (!end() && is_digit(peek())) ++at_;
        return true;
    }

    bool number() {
        const size_t start = at_;
        if (peek() == '-') ++at_;
        if (!end() && peek() == '0')
            ++at_;
        else if (!digits())
            return false;
        if (!end() && is_digit(peek())) return fail("a number may not start with 0");
        if (!end() && peek() == '.') {
            ++at_;
            if (!digits()) return false;
        }
        if (!end() && (peek() == 'e' || peek() == 'E')) {
            ++at_;
            if (!end() && (peek() == '+' || peek() == '-')) ++at_;
            if (!digits()) return false;
        }
        out_ += text_.substr(start, at_ - start);
        return true;
    }

    bool string() {
        const size_t start = at_++;
        for (;;) {
            at_ = end_of_plain(text_, at_);
            if (end()) return fail("unexpected end of a string");
            const auto c = static_cast<unsigned char>(peek());
            if (c == '"') break;
            if (c < 0x20) return fail("control character in a string must be escaped");
            if (c == '\\' && !escape()) return false;
            ++at_;
        }
        ++at_;
        out_ += text_.substr(start, at_ - start);
        return true;
    }

    // At a backslash; ends at the last character of the escape.
    bool escape() {
        ++at_;
        if (end()) return fail("unexpected end of a string");
        if (peek() == 'u') {
            for (int i = 0; i < 4; ++i) {
                ++at_;
                if (end() || hex_value(peek()) < 0) return fail("\\u must be followed by four hexadecimal digits");
            }
            return true;
        }
        if (std::string_view("\"\\/bfnrt").find(peek()) == std::string_view::npos) return fail("unknown escape in a string");
        return true;
    }

    std::string_view text_;
    std::string &out_;
    size_t at_ = 0;
    std::vector<bool> objects_;  // what is open: an object, or else an array
    SyntaxError error_{0, ""};
};

}  // namespace

std::optional<SyntaxError> check(std::string_view text, std::string &out) { return Checker(text, out).run(); }

}  // namespace pulse::json
