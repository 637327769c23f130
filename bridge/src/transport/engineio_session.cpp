// See engineio_session.hpp.
#include "transport/engineio_session.hpp"

#include <utility>

#include "codec/websocket_frame.hpp"

namespace bridge::transport {

namespace engineio = codec::engineio;

// A WebSocket that may become the session's. Whatever goes wrong with it ends it alone.
struct EngineioSession::Probe final : WebSocket::User, loop::Wheel::Entry {
    Probe(EngineioSession &owner, net::StreamPtr stream, bool no_binary)
        : Entry([](Entry &entry) { static_cast<Probe &>(entry).give_up(1000); }), session(owner), base64(no_binary),
          socket(std::make_unique<WebSocket>(std::move(stream), owner.options_.max_payload, static_cast<WebSocket::User &>(*this))) {}

    void message(std::string_view text, bool binary) override {
        if (binary) return give_up(1000);
        if (text == "2probe") {
            probed = true;
            socket->stream().write(engineio::pong_frame("probe"));
            session.polling_->noop();
            return;
        }
        if (text != "5" || session.closing_ || socket->stream().holds_back()) return give_up(1000);
        session.upgrade(std::move(socket), base64);  // this is gone
    }
    void pong() override {}
    void writable() override {}
    void violation(std::uint16_t code) override { give_up(code); }
    void ended() override { session.probe_.reset(); }
    void give_up(std::uint16_t code) {
        socket->close(code, {});
        session.probe_.reset();
    }

    EngineioSession &session;
    bool base64;
    bool probed = false;  // from now on every GET is answered at once: the client waits for it before it moves over
    std::unique_ptr<WebSocket> socket;
};

EngineioSession::EngineioSession(Engineio &engineio, const PublicId &sid, Protocol protocol, handlers::Peer peer,
                                 std::string_view transport, bool echo)
    : Session(engineio.services_, engineio.options_, protocol, std::move(peer), transport), engineio_(engineio), sid_(sid), echo_(echo) {}

EngineioSession::~EngineioSession() = default;

void EngineioSession::opened() {
    id_ = services_.hub.open(*this);
    begin_heartbeat();
    if (!echo_) client_.opened(id_);
}

namespace {
engineio::Open open_of(const PublicId &sid, const SessionOptions &options, bool upgrades) {
    return {sid.view(), std::chrono::milliseconds(options.ping_interval), std::chrono::milliseconds(options.ping_timeout),
            options.max_payload, upgrades};
}
}  // namespace

void EngineioSession::open(http::Exchange &exchange) {
    Polling::User &self = *this;
    polling_ = std::make_unique<Polling>(self);
    polling_->ip = exchange.request().ip;
    ++engineio_.polling_;
    opened();
    http::Reply reply;
    reply.content_type = "text/plain; charset=UTF-8";
    reply.headers.emplace_back("Cache-Control", "no-store");
    reply.body = engineio::open_packet(open_of(sid_, options_, true));
    exchange.respond(std::move(reply));
}

void EngineioSession::open(net::StreamPtr stream, std::string answer, std::string_view received) {
    take(std::move(stream));
    stream_->write(answer += engineio::open_frame(open_of(sid_, options_, false)));
    opened();
    if (!received.empty()) socket_->received(received);
}

// ---- packets in

void EngineioSession::message(std::string_view text, bool binary) {
    if (deaf_ || closing_) return;
    if (too_late()) return fail(Errc::ping_timeout);
    auto decoded = engineio::decode(text, binary);
    const Outcome outcome = decoded ? packet(std::move(*decoded)) : Outcome::bad;
    if (outcome == Outcome::bad) fail(Errc::protocol_error);
    if (outcome == Outcome::closed) fail(Errc::client_close);
}

EngineioSession::Outcome EngineioSession::packet(engineio::Packet packet) {
    using engineio::Type;
    switch (packet.type) {
        case Type::pong: pong(); return Outcome::good;
        case Type::noop: return Outcome::good;
        case Type::close: return Outcome::closed;
        case Type::open:
        case Type::ping:  // the server asks, the client answers
        case Type::upgrade: return Outcome::bad;
        case Type::message:
        case Type::binary: break;
    }
    if (echo_) {
        echo(packet);
        return Outcome::good;
    }
    const codec::socketio::Limits limits{.max_payload = options_.max_payload};
    auto inbound = packet.type == Type::message ? decoder_.text(packet.payload, limits) : decoder_.binary(packet.bytes(), limits);
    if (!inbound) {
        fail(inbound.error().code);
    } else if (*inbound) {
        client_.receive(std::move(**inbound));
    }
    return Outcome::good;
}

void EngineioSession::echo(const engineio::Packet &packet) {
    std::string frame;
    if (packet.type == engineio::Type::message) {
        frame = codec::text_frame({"4", packet.payload});
    } else {
        engineio::append_attachment(frame, packet.bytes(), protocol_ == Protocol::socketio_base64);
    }
    services_.hub.send(id_, hub::make_frame(std::move(frame)));
}

// ---- polling

// Clocks round: who asks within the wheel's resolution of the deadline is told what the timer is about to find. A POST may still bring
// the pong.
bool EngineioSession::expire(const http::Request &request) {
    const std::int64_t rounding = request.method == http::Method::get ? loop::Wheel::kResolution : 0;
    if (!polling_ || dying_) return false;
    if (closing_ ? closing_with_ != Errc::ping_timeout : !too_late(rounding)) return false;
    end_reason_ = info(Errc::ping_timeout).reason;
    end();
    return true;
}

void EngineioSession::polled(http::Exchange &exchange) {
    if (exchange.request().method == http::Method::get) return polling_->get(exchange);
    if (exchange.request().method == http::Method::post) return polling_->post(exchange);
    exchange.respond(engineio_error(400, 3, "Bad request"));
}

void EngineioSession::wanted() {
    if (dying_) {
        if (polling_->say_goodbye()) over();
        return;
    }
    if (closing_) return;  // die() is due
    polling_->give({});    // what was left over
    if (!polling_->waits()) return;
    services_.hub.writable(id_);
    if (probe_ && probe_->probed) polling_->noop();
}

Polling::User::Taken EngineioSession::posted(std::string_view body) {
    for (engineio::Payload packets(body); packets.more();) {
        auto decoded = packets.next();
        if (deaf_ || closing_ || dying_) return Taken::good;
        const Outcome outcome = decoded ? packet(std::move(*decoded)) : Outcome::bad;
        if (outcome == Outcome::bad) return Taken::bad;
        if (outcome == Outcome::closed) return Taken::closed;
    }
    return Taken::good;
}

void EngineioSession::misused() {
    if (dying_) return over();
    end_reason_ = info(Errc::protocol_error).reason;
    end();
}

void EngineioSession::left() {
    if (dying_) return over();
    end();
}

hub::Sink::Write EngineioSession::write(std::string_view frames) {
    if (stream_ != nullptr) return Session::write(base64_frames_ ? engineio::base64_frames(frames) : frames);
    if (!polling_) return Write::failed;
    if (!polling_->wants() && !collecting_) return Write::choked;
    polling_->give(frames);
    return Write::taken;
}

void EngineioSession::request_writable() {
    if (!polling_) Session::request_writable();  // wanted() is polling's
}

// ---- upgrade

void EngineioSession::probe(net::StreamPtr stream, bool base64, std::string_view received) {
    probe_ = std::make_unique<Probe>(*this, std::move(stream), base64);
    services_.deadlines.arm(*probe_, now() + kProbing);
    if (!received.empty()) probe_->socket->received(received);
}

void EngineioSession::upgrade(std::unique_ptr<WebSocket> socket, bool base64) {
    polling_->noop();
    const std::string rest = polling_->take_rest();
    engineio_.pollers_.leave(polling_->ip);
    polling_.reset();
    probe_.reset();
    --engineio_.polling_;
    take(std::move(socket));
    base64_frames_ = base64 && protocol_ != Protocol::socketio_base64;
    if (!echo_) client_.goes_by("websocket");
    if (!rest.empty()) write(rest);
    services_.hub.writable(id_);
}

// ---- the end

void EngineioSession::close(Errc why) {
    if (!polling_) return Session::close(why);
    if (closing_) return;
    closing_ = true;
    closing_with_ = why;
    end_reason_ = info(why).reason;
    alarm(now());
}

void EngineioSession::beat() {
    if (dying_) return over();
    if (polling_ && closing_) return die();
    Session::beat();
}

// Everybody is told that it is over; what it was sent before is still given to who asks for it.
void EngineioSession::die() {
    probe_.reset();
    if (closing_with_ == Errc::ping_timeout) return end();
    collecting_ = closing_with_ != Errc::slow_client;
    while (collecting_ && services_.hub.waiting(id_)) services_.hub.writable(id_);
    dying_ = true;
    leave_hub();
    if (polling_->say_goodbye()) return over();
    alarm(now() + kDying);
}

const hub::FramePtr &EngineioSession::ping_frame() const {
    static const hub::FramePtr frame = hub::make_frame(std::string(engineio::ping_frame()));
    return frame;
}

void EngineioSession::leave_hub() {
    if (!echo_) return Session::leave_hub();
    services_.hub.closed(id_);
}

void EngineioSession::over() {
    if (polling_) {
        --engineio_.polling_;
        engineio_.pollers_.leave(polling_->ip);
    }
    engineio_.erase(sid_);
}

}  // namespace bridge::transport
