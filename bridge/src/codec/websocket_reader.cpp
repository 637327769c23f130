// A frame that is here as a whole, and is a whole message, goes by without anything being kept.
#include "codec/websocket_reader.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "codec/utf8.hpp"

namespace bridge::codec {

namespace {

constexpr std::uint8_t kContinuation = 0x0, kText = 0x1, kBinary = 0x2, kClose = 0x8, kPing = 0x9, kPong = 0xa;
constexpr std::size_t kMaxHeader = 14, kMaxControl = 125;
constexpr std::uint16_t kProtocolError = 1002, kNotUtf8 = 1007, kTooLarge = 1009;

using Incoming = WebsocketReader::Incoming;
using Kind = WebsocketReader::Kind;

constexpr Incoming violation(std::uint16_t code, std::string_view what) { return {Kind::violation, what, code}; }

std::uint8_t byte(std::string_view bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }

// As far as the bytes that are here tell.
std::size_t header_size(std::string_view bytes) {
    if (bytes.size() < 2) return 2;
    const unsigned length = byte(bytes, 1) & 0x7f;
    return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + 4;
}

// `from` unmasked to `to`; `phase`: how many bytes of the frame went before.
void unmask(char *to, std::string_view from, const std::array<char, 4> &mask, std::uint64_t phase) {
    std::array<char, 8> pattern;
    for (std::size_t i = 0; i < 8; ++i) pattern[i] = mask[(phase + i) & 3];
    std::uint64_t key;
    std::memcpy(&key, pattern.data(), 8);
    std::size_t at = 0;
    for (; at + 8 <= from.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, from.data() + at, 8);
        word ^= key;
        std::memcpy(to + at, &word, 8);
    }
    for (; at < from.size(); ++at) to[at] = static_cast<char>(from[at] ^ pattern[at & 7]);
}

bool may_be_sent(unsigned close_code) {
    return (close_code >= 1000 && close_code <= 1003) || (close_code >= 1007 && close_code <= 1014) ||
           (close_code >= 3000 && close_code <= 4999);
}

Incoming control(std::uint8_t opcode, std::string_view payload) {
    if (opcode == kPing) return {Kind::ping, payload};
    if (opcode == kPong) return {Kind::pong, payload};
    if (payload.empty()) return {Kind::close, {}, 1005};
    if (payload.size() == 1) return violation(kProtocolError, "half a close code");
    const unsigned code = byte(payload, 0) << 8U | byte(payload, 1);
    if (!may_be_sent(code)) return violation(kProtocolError, "a close code that may not be sent");
    Utf8 reason;
    if (!reason.feed(payload.substr(2)) || !reason.complete()) return violation(kNotUtf8, "the close reason is not UTF-8");
    return {Kind::close, payload.substr(2), static_cast<std::uint16_t>(code)};
}

}  // namespace

struct WebsocketReader::Header {
    bool final = false;
    std::uint8_t opcode = 0;
    std::uint64_t size = 0;
    std::array<char, 4> mask{};
    bool control() const { return opcode >= kClose; }
};

struct WebsocketReader::Partial {
    std::array<char, kMaxHeader> bytes{};  // of a header that is not complete
    std::size_t have = 0;

    bool in_frame = false;
    Header frame;
    std::uint64_t received = 0;  // of its payload
    std::string control;         // its payload when it is a control frame

    std::uint8_t opcode = 0;  // of the message under way; 0: none
    std::string message;
    Utf8 text;
};

WebsocketReader::WebsocketReader() noexcept = default;
WebsocketReader::~WebsocketReader() = default;
WebsocketReader::WebsocketReader(WebsocketReader &&) noexcept = default;
WebsocketReader &WebsocketReader::operator=(WebsocketReader &&) noexcept = default;

WebsocketReader::Partial &WebsocketReader::partial() {
    if (!partial_) partial_ = std::make_unique<Partial>();
    return *partial_;
}

void WebsocketReader::forget_if_idle() {
    if (partial_ && partial_->have == 0 && !partial_->in_frame && partial_->opcode == 0) partial_.reset();
}

Incoming WebsocketReader::next(std::string_view &in, std::size_t max_message, std::string &scratch) {
    for (;;) {
        if (partial_ && partial_->in_frame) {
            const Incoming found = piece(in, scratch);
            forget_if_idle();
            if (found.kind != Kind::nothing || in.empty()) return found;
        }
        if (in.empty()) return {};
        Header frame;
        const Incoming refused = header(in, max_message, frame);
        if (refused.kind != Kind::nothing) return refused;
        if (partial_ && partial_->have > 0) return {};  // the header is not complete
        const bool alone = frame.control() || (frame.final && frame.opcode != kContinuation);
        if (alone && in.size() >= frame.size) {
            const Incoming found = whole(frame, in, scratch);
            forget_if_idle();
            return found;
        }
        Partial &rest = partial();
        rest.in_frame = true;
        rest.frame = frame;
        rest.received = 0;
        if (!frame.control() && frame.opcode != kContinuation) rest.opcode = frame.opcode;
    }
}

// Reads one header. When its end is not here yet, what is here is kept in partial_->bytes.
Incoming WebsocketReader::header(std::string_view &in, std::size_t max_message, Header &out) {
    const std::size_t kept = partial_ ? partial_->have : 0;
    std::array<char, kMaxHeader> joined{};
    std::string_view bytes = in;
    if (kept > 0) {
        std::copy_n(partial_->bytes.data(), kept, joined.data());
        const std::size_t more = std::min(in.size(), kMaxHeader - kept);
        std::copy_n(in.data(), more, joined.data() + kept);
        bytes = {joined.data(), kept + more};
    }

    const bool masked = bytes.size() < 2 || (byte(bytes, 1) & 0x80) != 0;
    const unsigned first = byte(bytes, 0);
    out.final = (first & 0x80) != 0;
    out.opcode = first & 0x0f;
    if ((first & 0x70) != 0) return violation(kProtocolError, "a reserved bit is set");
    if (out.opcode > kPong || (out.opcode > kBinary && out.opcode < kClose)) return violation(kProtocolError, "an unknown opcode");
    if (!masked) return violation(kProtocolError, "a frame that is not masked");
    if (out.control() && !out.final) return violation(kProtocolError, "a control frame in fragments");
    if (out.control() && bytes.size() >= 2 && (byte(bytes, 1) & 0x7f) > kMaxControl) {
        return violation(kProtocolError, "a control frame of more than 125 bytes");
    }
    const bool under_way = partial_ && partial_->opcode != 0;
    if (out.opcode == kContinuation && !under_way) return violation(kProtocolError, "a continuation of nothing");
    if ((out.opcode == kText || out.opcode == kBinary) && under_way) {
        return violation(kProtocolError, "a new message inside a fragmented one");
    }

    const std::size_t wanted = header_size(bytes);
    if (bytes.size() < wanted) {
        Partial &rest = partial();
        std::copy_n(bytes.data(), bytes.size(), rest.bytes.data());
        rest.have = bytes.size();
        in = {};
        return {};
    }
    in.remove_prefix(wanted - kept);
    if (partial_) partial_->have = 0;

    out.size = byte(bytes, 1) & 0x7f;
    const std::size_t extended = wanted - 6;
    if (extended > 0) {
        out.size = 0;
        for (std::size_t i = 0; i < extended; ++i) out.size = out.size << 8 | byte(bytes, 2 + i);
        if (out.size < (extended == 2 ? 126U : 0x10000U)) return violation(kProtocolError, "a length in more bytes than it needs");
        if (out.size >> 63 != 0) return violation(kProtocolError, "a negative length");
    }
    std::copy_n(bytes.data() + wanted - 4, 4, out.mask.data());
    if (!out.control()) {
        const std::size_t before = partial_ ? partial_->message.size() : 0;
        if (out.size > max_message || before + out.size > max_message) return violation(kTooLarge, "the message is too large");
    }
    return {};
}

Incoming WebsocketReader::whole(const Header &frame, std::string_view &in, std::string &scratch) {
    scratch.resize(frame.size);
    unmask(scratch.data(), in.substr(0, frame.size), frame.mask, 0);
    in.remove_prefix(frame.size);
    if (frame.control()) return control(frame.opcode, scratch);
    if (frame.opcode == kBinary) return {Kind::binary, scratch};
    Utf8 text;
    if (!text.feed(scratch) || !text.complete()) return violation(kNotUtf8, "text that is not UTF-8");
    return {Kind::text, scratch};
}

Incoming WebsocketReader::piece(std::string_view &in, std::string &scratch) {
    Partial &rest = *partial_;
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(rest.frame.size - rest.received, in.size()));
    std::string &to = rest.frame.control() ? rest.control : rest.message;
    const std::size_t before = to.size();
    to.resize(before + size);
    unmask(to.data() + before, in.substr(0, size), rest.frame.mask, rest.received);
    in.remove_prefix(size);
    rest.received += size;
    if (!rest.frame.control() && rest.opcode == kText && !rest.text.feed(std::string_view(to).substr(before))) {
        return violation(kNotUtf8, "text that is not UTF-8");
    }
    if (rest.received < rest.frame.size) return {};

    rest.in_frame = false;
    if (rest.frame.control()) {
        scratch = std::move(rest.control);
        rest.control.clear();
        return control(rest.frame.opcode, scratch);
    }
    if (!rest.frame.final) return {};
    if (!rest.text.complete()) return violation(kNotUtf8, "text that ends inside a character");
    const Kind kind = rest.opcode == kText ? Kind::text : Kind::binary;
    scratch = std::move(rest.message);
    rest.message.clear();
    rest.opcode = 0;
    rest.text = {};
    return {kind, scratch};
}

}  // namespace bridge::codec
