// See body.hpp.
#include "http/body.hpp"

#include <algorithm>

namespace bridge::http {

namespace {

constexpr unsigned kMostDigits = 15;

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

}  // namespace

BodyReader BodyReader::of_length(std::uint64_t length) {
    BodyReader reader;
    reader.left_ = length;
    reader.at_ = At::length;
    return reader;
}

BodyReader BodyReader::chunked(std::size_t max_extra) {
    BodyReader reader;
    reader.max_extra_ = max_extra;
    reader.at_ = At::size;
    return reader;
}

BodyReader::State BodyReader::read(std::string_view &bytes, std::string &out, std::size_t max) {
    while (at_ != At::over && !bytes.empty()) {
        if (at_ != At::length && at_ != At::data) {
            const State state = step(bytes.front());
            if (state != State::more) return state;
            bytes.remove_prefix(1);
            continue;
        }
        if (left_ > max - std::min(out.size(), max)) return State::too_long;
        const std::string_view some = bytes.substr(0, std::min<std::uint64_t>(left_, bytes.size()));
        out += some;
        bytes.remove_prefix(some.size());
        left_ -= some.size();
        if (left_ == 0) at_ = at_ == At::length ? At::over : At::data_end;
    }
    return at_ == At::over ? State::complete : State::more;
}

// One byte of what stands between the chunks.
BodyReader::State BodyReader::step(char c) {
    const auto expect = [this, c](char expected, At next) {
        if (c != expected) return State::malformed;
        at_ = next;
        return State::more;
    };
    const auto text = [this, c](At end) {  // up to the end of the line
        if (c == '\r') {
            at_ = end;
            return State::more;
        }
        if (is_control(c)) return State::malformed;
        return ++extra_ > max_extra_ ? State::too_long : State::more;
    };
    switch (at_) {
        case At::size:
            if (const int digit = hex(c); digit >= 0) {
                if (++digits_ > kMostDigits) return State::malformed;
                left_ = left_ * 16 + static_cast<unsigned>(digit);
                return State::more;
            }
            if (digits_ == 0) return State::malformed;
            if (c != ';') return expect('\r', At::size_end);
            at_ = At::extension;
            return State::more;
        case At::extension: return text(At::size_end);
        case At::size_end: digits_ = 0; return expect('\n', left_ == 0 ? At::line : At::data);
        case At::data_end: return expect('\r', At::data_end_2);
        case At::data_end_2: return expect('\n', At::size);
        case At::line:
            if (c == '\r') return expect('\r', At::last_end);
            at_ = At::trailer;
            return c == ' ' || c == '\t' ? State::malformed : text(At::trailer_end);
        case At::trailer: return text(At::trailer_end);
        case At::trailer_end: return expect('\n', At::line);
        case At::last_end: return expect('\n', At::over);
        case At::data:
        case At::length:
        case At::over: break;
    }
    return State::malformed;
}

}  // namespace bridge::http
