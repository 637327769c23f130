// See websocket.hpp.
#include "transport/websocket.hpp"

#include <openssl/sha.h>

#include <utility>

#include "base/base64.hpp"
#include "codec/websocket_frame.hpp"

namespace bridge::transport {

namespace {

constexpr std::size_t kKeptScratch = 65536;

// Where messages are unmasked. One for all: it is not read any more when the next bytes come.
std::string &scratch() {
    static std::string bytes;
    return bytes;
}

std::string close_frame(std::uint16_t code, std::string_view reason) {
    std::string frame;
    if (code == 1005) {
        codec::append_frame(frame, codec::Opcode::close, {});
    } else {
        const char number[] = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
        codec::append_frame(frame, codec::Opcode::close, {std::string_view(number, 2), reason});
    }
    return frame;
}

}  // namespace

WebSocket::WebSocket(net::StreamPtr stream, std::size_t max_message, User &user)
    : stream_(std::move(stream)), user_(&user), max_message_(static_cast<std::uint32_t>(max_message)) {
    stream_->use(*this);
}

void WebSocket::received(std::string_view bytes) {
    const Alive::Guard alive(alive_);
    while (!deaf_ && !bytes.empty()) {
        const auto incoming = reader_.next(bytes, max_message_, scratch());
        using Kind = codec::WebsocketReader::Kind;
        switch (incoming.kind) {
            case Kind::nothing: break;
            case Kind::text:
            case Kind::binary: user_->message(incoming.payload, incoming.kind == Kind::binary); break;
            case Kind::ping:
                if (!pong(incoming.payload)) unanswered_ = std::make_unique<std::string>(incoming.payload);
                break;
            case Kind::pong: user_->pong(); break;
            case Kind::close:
                deaf_ = true;
                close(incoming.code, {});  // or it ends without: the peer does not read
                user_->ended();
                break;
            case Kind::violation:
                deaf_ = true;
                user_->violation(incoming.code);
                break;
        }
        if (!alive) return;
    }
    if (scratch().capacity() > kKeptScratch) std::string().swap(scratch());
}

// Of pings that could not be answered at once only the last one is (RFC 6455 §5.5.3).
bool WebSocket::pong(std::string_view payload) {
    if (!stream_) return true;
    std::string frame;
    codec::append_frame(frame, codec::Opcode::pong, {payload});
    if (stream_->write(frame) != net::Stream::Write::choked) return true;
    stream_->request_writable();
    return false;
}

void WebSocket::request_writable() {
    if (!stream_) return;
    user_waits_ = true;
    stream_->request_writable();
}

void WebSocket::writable() {
    if (unanswered_) {
        const auto payload = std::exchange(unanswered_, nullptr);
        if (!pong(*payload)) unanswered_ = std::make_unique<std::string>(*payload);
    }
    if (std::exchange(user_waits_, false)) user_->writable();
}

void WebSocket::ended() { user_->ended(); }

bool WebSocket::close(std::uint16_t code, std::string_view reason) {
    if (!stream_) return true;
    deaf_ = true;
    if (stream_->write(close_frame(code, reason)) == net::Stream::Write::choked) {
        request_writable();
        return false;
    }
    net::close_after_writing(std::move(stream_));
    return true;
}

// ---- handshake

std::optional<http::Reply> refuse_handshake(const http::Request &request) {
    const auto bad = [](std::string_view what) { return http::error_reply(400, "bad_request", what); };
    if (request.method != http::Method::get || !request.http11) return bad("a WebSocket is opened with GET and HTTP/1.1");
    if (request.has_body) return bad("a WebSocket is opened without a body");
    if (request.header("sec-websocket-version") != "13") {
        http::Reply reply = http::error_reply(426, "bad_request", "Sec-WebSocket-Version must be 13");
        reply.headers.emplace_back("Sec-WebSocket-Version", "13");
        return reply;
    }
    const auto key = base64::decode(request.header("sec-websocket-key"));
    if (!key || key->size() != 16) return bad("Sec-WebSocket-Key is not 16 bytes in base64");
    return std::nullopt;
}

std::vector<std::string_view> offered_subprotocols(const http::Request &request) {
    std::vector<std::string_view> offered;
    for (const auto &[name, value] : request.headers) {
        if (name != "sec-websocket-protocol") continue;
        for (std::string_view rest = value; !rest.empty();) {
            const std::size_t comma = rest.find(',');
            std::string_view one = rest.substr(0, comma);
            while (one.starts_with(' ') || one.starts_with('\t')) one.remove_prefix(1);
            while (one.ends_with(' ') || one.ends_with('\t')) one.remove_suffix(1);
            if (!one.empty()) offered.push_back(one);
            rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
        }
    }
    return offered;
}

std::string handshake_answer(const http::Request &request, std::string_view subprotocol) {
    std::string key(request.header("sec-websocket-key"));
    key += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 §1.3
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA1(reinterpret_cast<const unsigned char *>(key.data()), key.size(), digest);
    std::string answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
    answer += base64::encode({reinterpret_cast<const char *>(digest), sizeof digest});
    if (!subprotocol.empty()) {
        answer += "\r\nSec-WebSocket-Protocol: ";
        answer += subprotocol;
    }
    return answer += "\r\n\r\n";
}

}  // namespace bridge::transport
