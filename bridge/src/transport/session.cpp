// See session.hpp. The hub closes a sink from within its own loops, so the end itself always comes by the alarm.
#include "transport/session.hpp"

#include <utility>

#include "base/json.hpp"

namespace bridge::transport {

Session::Heart::Heart(Session &session) : Entry([](Entry &entry) { static_cast<Heart &>(entry).owner.beat(); }), owner(session) {}

Session::Session(handlers::Services &services, const SessionOptions &options, Protocol protocol, handlers::Peer peer,
                 std::string_view transport)
    : services_(services), options_(options), protocol_(protocol), client_(services, protocol, std::move(peer), transport), heart_(*this) {}

Session::~Session() = default;

void Session::take(std::unique_ptr<WebSocket> socket) {
    socket_ = std::move(socket);
    socket_->use(*this);
    stream_ = &socket_->stream();
}

void Session::take(net::StreamPtr stream) {
    WebSocket::User &self = *this;
    take(std::make_unique<WebSocket>(std::move(stream), options_.max_payload, self));
}

// ---- heartbeat

void Session::begin_heartbeat() {
    deadline_ = now() + options_.ping_interval;
    alarm(deadline_);
}

void Session::pong() {
    if (!awaiting_pong_ || closing_) return;  // a stray one
    awaiting_pong_ = false;
    begin_heartbeat();
}

bool Session::too_late(std::int64_t rounding) const { return now() + rounding >= deadline_ + (awaiting_pong_ ? 0 : options_.ping_timeout); }

void Session::beat() {
    if (over_) return end();
    if (closing_) {  // it has had its time
        socket_.reset();
        stream_ = nullptr;
        return end();
    }
    if (awaiting_pong_) return fail(Errc::ping_timeout);
    services_.hub.send(id_, ping_frame());
    awaiting_pong_ = true;
    deadline_ += options_.ping_timeout;  // from when the ping was due, not from when the loop came round to it
    alarm(deadline_);
}

// ---- bytes out

void Session::write_soon() {
    if (stream_ != nullptr) stream_->prefetch();
}

hub::Sink::Write Session::write(std::string_view frames) {
    if (stream_ == nullptr) return Write::failed;
    switch (stream_->write(frames)) {
        case net::Stream::Write::taken: return Write::taken;
        case net::Stream::Write::choked: return Write::choked;
        case net::Stream::Write::failed: break;
    }
    if (!closing_) end_reason_ = "transport_error";
    stream_ = nullptr;
    return Write::failed;
}

void Session::request_writable() {
    if (socket_) socket_->request_writable();
}

void Session::writable() {
    services_.hub.writable(id_);
    if (closing_) say_goodbye();
}

// ---- the end

void Session::fail(Errc why) {
    deaf_ = true;
    services_.hub.close(id_, why);
}

void Session::violation(std::uint16_t code) {
    fail(code == 1009 ? Errc::payload_too_large : code == 1007 ? Errc::not_utf8 : Errc::protocol_error);
}

void Session::close(Errc why) {
    if (closing_) return;
    closing_ = true;
    closing_with_ = why;
    end_reason_ = info(why).reason;
    alarm(now() + kCloseWait);
    say_goodbye();
}

// What was sent before the close goes first, unless nobody reads it.
void Session::say_goodbye() {
    if (over_ || !socket_) return;
    if (peer_reads() && services_.hub.waiting(id_)) return socket_->request_writable();
    const ErrorInfo &row = info(closing_with_);
    if (!socket_->close(row.close_code, row.reason)) return;
    stream_ = nullptr;
    over_ = true;
    alarm(now());
}

void Session::ended() {
    socket_.reset();
    stream_ = nullptr;
    end();
}

void Session::end() {
    leave_hub();
    over();
}

void Session::leave_hub() {
    client_.closed(end_reason_);
    services_.deadlines.cancel(heart_);
    services_.hub.closed(id_);
}

handlers::Peer peer_of(const http::Request &request) {
    const std::string_view trace = request.header("traceparent");
    return {request.ip,
            request.bearer(),
            is_traceparent(trace) ? std::string(trace) : std::string(),
            std::string(request.param("recovery").value_or("")),
            std::string(request.param("since").value_or("")),
            handlers::device_name(request.header("user-agent"))};
}

}  // namespace bridge::transport
