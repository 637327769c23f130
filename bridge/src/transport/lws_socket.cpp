// libwebsockets 4.1.6 as it behaves: RECEIVE brings pieces, LWS_WRITE_RAW of a whole frame is one send, a dead socket is ended with
// KILL_ASYNC, and our close frame is written from WRITEABLE and followed by a short wait for the peer's.
#include "transport/lws_socket.hpp"

#include <libwebsockets.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/log.hpp"
#include "codec/engineio.hpp"
#include "codec/native.hpp"

namespace bridge::transport {

namespace {

constexpr int kCloseWaitSeconds = 2;

const hub::FramePtr &ping_frame(Protocol protocol) {
    static const hub::FramePtr engineio = hub::make_frame(std::string(codec::engineio::ping_frame()));
    // FIN, ping, one byte: libwebsockets 4.1 does not tell of a pong without payload.
    static const hub::FramePtr websocket = hub::make_frame(std::string("\x89\x01.", 3));
    return protocol == Protocol::native ? websocket : engineio;
}

}  // namespace

Socket::Heart::Heart(Socket &socket) : Entry([](Entry &entry) { static_cast<Heart &>(entry).owner.beat(); }), owner(socket) {}

Socket::Socket(handlers::Services &services, const SocketOptions &options, Protocol protocol, handlers::Peer peer)
    : services_(services), options_(options), protocol_(protocol), client_(services, protocol, std::move(peer)), heart_(*this) {}

Socket::~Socket() = default;

void Socket::established(lws *wsi) {
    wsi_ = wsi;
    fd_ = lws_is_ssl(wsi) != 0 ? -1 : lws_get_socket_fd(wsi);
    id_ = services_.hub.open(*this);
    if (protocol_ != Protocol::native) {
        const PublicId sid = services_.rng.id();
        services_.hub.send(id_,
                           hub::make_frame(codec::engineio::open_frame({.sid = sid.view(),
                                                                        .ping_interval = std::chrono::milliseconds(options_.ping_interval),
                                                                        .ping_timeout = std::chrono::milliseconds(options_.ping_timeout),
                                                                        .max_payload = options_.max_payload})));
    }
    deadline_ = services_.deadlines.now() + options_.ping_interval;
    services_.deadlines.arm(heart_, deadline_);
    client_.opened(id_);
}

void Socket::closed() {
    if (wsi_ == nullptr) return;
    client_.closed(end_reason_);
    services_.deadlines.cancel(heart_);
    services_.hub.closed(id_);
    wsi_ = nullptr;
}

// ---- bytes in

int Socket::receive(const char *bytes, std::size_t size) {
    if (deaf_ || closing_) return 0;
    if (too_late()) {
        fail(Errc::ping_timeout);
        return 0;
    }
    const std::size_t remaining = lws_remaining_packet_payload(wsi_);
    if (partial_.size() + size + remaining > options_.max_payload) {
        partial_ = {};
        fail(Errc::payload_too_large);  // the rest of it is read and dropped while the close frame is under way
        return 0;
    }
    const bool complete = remaining == 0 && lws_is_final_fragment(wsi_) != 0;
    if (!complete) {
        if (partial_.empty()) partial_.reserve(size + remaining);
        partial_.append(bytes, size);
        return 0;
    }
    const bool binary = lws_frame_is_binary(wsi_) != 0;
    if (partial_.empty()) {
        message(std::string_view(bytes, size), binary);
    } else {
        std::string whole = std::exchange(partial_, {});  // its memory goes: idle connections stay small
        whole.append(bytes, size);
        message(whole, binary);
    }
    return 0;
}

void Socket::message(std::string_view text, bool binary) {
    if (protocol_ == Protocol::native) {
        native(text, binary);
    } else {
        engineio(text, binary);
    }
}

void Socket::engineio(std::string_view text, bool binary) {
    using codec::engineio::Type;
    const auto packet = codec::engineio::decode(text, binary);
    if (!packet) return fail(Errc::protocol_error);
    switch (packet->type) {
        case Type::pong: return pong();
        case Type::noop: return;
        case Type::close: return fail(Errc::client_close);
        case Type::open:
        case Type::ping:  // the server asks, the client answers
        case Type::upgrade: return fail(Errc::protocol_error);
        case Type::message:
        case Type::binary: break;
    }
    const codec::socketio::Limits limits{.max_payload = options_.max_payload};
    auto inbound = packet->type == Type::message ? decoder_.text(packet->payload, limits) : decoder_.binary(packet->bytes(), limits);
    if (!inbound) return fail(inbound.error().code);
    if (*inbound) client_.receive(std::move(**inbound));
}

void Socket::native(std::string_view text, bool binary) {
    if (binary) return fail(Errc::protocol_error);
    auto inbound = codec::native::decode(text, {.max_payload = options_.max_payload});
    if (!inbound) return fail(inbound.error().code);
    client_.receive(std::move(*inbound));
}

void Socket::fail(Errc why) {
    deaf_ = true;
    services_.hub.close(id_, why);
}

// ---- heartbeat

void Socket::pong() {
    if (!awaiting_pong_) return;  // a stray one
    awaiting_pong_ = false;
    deadline_ = services_.deadlines.now() + options_.ping_interval;
    services_.deadlines.arm(heart_, deadline_);
}

bool Socket::too_late() const { return awaiting_pong_ && services_.deadlines.now() >= deadline_; }

void Socket::beat() {
    if (closing_) return;
    if (awaiting_pong_) return fail(Errc::ping_timeout);
    services_.hub.send(id_, ping_frame(protocol_));
    awaiting_pong_ = true;
    deadline_ += options_.ping_timeout;  // from when the ping was due, not from when the loop came round to it
    services_.deadlines.arm(heart_, deadline_);
}

// ---- bytes out

void Socket::write_soon() {
    [[maybe_unused]] const int buffered = lws_partial_buffered(wsi_);  // write() asks first
}

// Whole frames go past libwebsockets, straight to the kernel: much of what a fan-out costs is else spent in lws_write. Only while
// libwebsockets keeps nothing of its own for this socket (the rest of a pong, say), and what the kernel does not take of a frame
// becomes libwebsockets' to finish, so frames never mix.
hub::Sink::Write Socket::write(std::string_view bytes) {
    if (broken_ || close_sent_) return Write::failed;
    if (lws_partial_buffered(wsi_) != 0) return Write::choked;
    if (fd_ >= 0) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == static_cast<ssize_t>(bytes.size())) return Write::taken;
        if (sent < 0) return errno == EAGAIN || errno == EINTR ? Write::choked : broken();
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    // RAW passes the bytes through unchanged (no masking on a server), so the shared frame is not written to.
    auto *data = reinterpret_cast<unsigned char *>(const_cast<char *>(bytes.data()));
    return lws_write(wsi_, data, bytes.size(), LWS_WRITE_RAW) < 0 ? broken() : Write::taken;
}

hub::Sink::Write Socket::broken() {
    broken_ = true;
    end_reason_ = "transport_error";
    lws_set_timeout(wsi_, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    return Write::failed;
}

void Socket::request_writable() { lws_callback_on_writable(wsi_); }

int Socket::writable() {
    if (broken_) return -1;
    if (!closing_) {
        services_.hub.writable(id_);
        return 0;
    }
    if (close_sent_) return 0;
    // What was sent before the close goes first; close()'s timeout bounds how long it may take. A peer that does not read or answer
    // has had its time.
    const bool reads = closing_with_ != Errc::slow_client && closing_with_ != Errc::ping_timeout;
    if (reads && services_.hub.waiting(id_)) {
        services_.hub.writable(id_);
        lws_callback_on_writable(wsi_);
        return 0;
    }
    // What was sent before is with the kernel now. Written by hand: libwebsockets' own way, lws_close_reason and -1, drops the
    // frame when it is taken in WRITEABLE, because Debian's build calls close twice there ("uv repeat test").
    close_sent_ = true;
    const ErrorInfo &row = info(closing_with_);
    std::string frame = {'\x88', static_cast<char>(2 + row.reason.size()), static_cast<char>(row.close_code >> 8),
                         static_cast<char>(row.close_code & 0xff)};
    frame += row.reason;
    if (lws_write(wsi_, reinterpret_cast<unsigned char *>(frame.data()), frame.size(), LWS_WRITE_RAW) < 0) return -1;
    lws_set_timeout(wsi_, PENDING_TIMEOUT_USER_OK, kCloseWaitSeconds);  // for the peer's close frame
    return 0;
}

void Socket::close(Errc why) {
    if (closing_ || broken_ || wsi_ == nullptr) return;
    closing_ = true;
    closing_with_ = why;
    end_reason_ = info(why).reason;
    lws_set_timeout(wsi_, PENDING_TIMEOUT_USER_OK, kCloseWaitSeconds);  // should it not become writable for what is waiting
    lws_callback_on_writable(wsi_);
}

// The peer's answer to our close frame: done. Or its own: libwebsockets echoes it, and nothing may be written behind that.
int Socket::peer_closing() {
    if (close_sent_) return 1;
    closing_ = true;
    broken_ = true;
    return 0;
}

}  // namespace bridge::transport
