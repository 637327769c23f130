// The frame around the things a client can do: which namespace a packet belongs to, and whose turn it is.
#include "handlers/client.hpp"

#include <algorithm>
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"
#include "codec/outbound.hpp"
#include "handlers/authenticate.hpp"

namespace bridge::handlers {

using codec::Inbound;

namespace {
std::size_t weight(const Inbound &packet) {
    std::size_t bytes = packet.args.size() + packet.event.size() + packet.payload.size();
    for (const std::string &attachment : packet.attachments) bytes += attachment.size();
    return bytes;
}
}  // namespace

std::string device_name(std::string_view text) {
    constexpr std::size_t kMost = 255;
    if (!json::valid_utf8(text) || text.find('\0') != std::string_view::npos) return {};
    std::size_t size = std::min(text.size(), kMost);
    while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;  // not inside a character
    return std::string(text.substr(0, size));
}

Client::Alarm::Alarm(Client &client) : Entry([](Entry &entry) { static_cast<Alarm &>(entry).owner.fire_deadline(); }), owner(client) {}

Client::Client(Services &services, Protocol protocol, Peer peer, std::string_view transport)
    : services_(services), protocol_(protocol), transport_(transport), peer_(std::move(peer)), alarm_(*this) {}

Client::~Client() { services_.clients.remove(id_); }

void Client::opened(ConnectionId id) {
    id_ = id;
    services_.clients.add(id, *this);
    opened_at_ = services_.deadlines.now();
    arm_deadline();
    if (socketio() || peer_.token.empty()) return;
    Inbound packet;
    packet.kind = Inbound::Kind::connect;
    connect(std::move(packet));
}

void Client::closed(std::string_view reason) {
    ending_ = true;
    services_.metrics.connection_duration().Observe(static_cast<double>(services_.deadlines.now() - opened_at_) / 1000.0);
    services_.deadlines.cancel(alarm_);
    services_.clients.remove(id_);
    for (auto &nsp : namespaces_) {
        forget_session(*nsp, reason, Row::keeps);
    }
    namespaces_.clear();
}

void Client::receive(Inbound packet) {
    if (ending_ || (draining_ && packet.kind == Inbound::Kind::connect)) return;
    if (packet.kind == Inbound::Kind::connect) return connect(std::move(packet));
    Namespace *nsp = find(packet.nsp);
    if (nsp == nullptr && socketio()) return end_connection(Errc::protocol_error);  // anything before CONNECT
    if (nsp == nullptr) {
        packet.problem = Error{Errc::unauthenticated, "send {\"type\":\"connect\"} first", ""};
    }
    if (packet.problem) return refuse(packet, *packet.problem);
    if (nsp->state == State::ended) return;  // it crossed our own DISCONNECT or refusal on the wire
    if (const hub::Session *session = services_.hub.find(nsp->session)) services_.leases.heard(session->key);
    if (packet.kind == Inbound::Kind::disconnect) return disconnect(packet);
    if (packet.kind == Inbound::Kind::ack) return acknowledged(*nsp, std::move(packet));
    if (draining_) return refuse(packet, Error{Errc::unavailable, "the server is shutting down", "", 1});
    if (too_fast(*nsp, packet)) return;
    if (nsp->state == State::connected && answer_at_once(*nsp, packet)) return;
    dispatch(*nsp, std::move(packet));
}

std::int64_t Client::over_rate(Namespace &nsp) {
    const std::uint32_t rate = services_.options.event_rate;
    const std::int64_t wait = nsp.rate.take(services_.deadlines.now(), rate, 2 * rate);
    if (wait > 0) services_.metrics.rate_limited("events").Increment();
    return (wait + 999) / 1000;
}

bool Client::too_fast(Namespace &nsp, const Inbound &packet) {
    const std::int64_t wait = over_rate(nsp);
    if (wait == 0) return false;
    refuse(packet, Error{Errc::rate_limited, "too many events", "", wait});
    return true;
}

void Client::dispatch(Namespace &nsp, Inbound packet) {
    if (!nsp.waiting) nsp.waiting = std::make_unique<Waiting>();
    Waiting &waiting = *nsp.waiting;
    if (nsp.state == State::connected && !waiting.busy) return run(nsp, std::move(packet));
    std::size_t bytes = weight(packet);
    if (packet.kind == Inbound::Kind::ack) {  // there are not many of these, and who asked waits; one that is too much was not given
        if (waiting.bytes + bytes > services_.options.max_waiting_bytes) {
            log::warn("an answer is dropped: too much waits for its turn",
                      {{"namespace", nsp.name}, log::given("traceparent", nsp.traceparent)});
            packet.id.reset();
            packet.args.clear();
            packet.attachments.clear();
            bytes = weight(packet);
        }
    } else if (waiting.packets.size() >= services_.options.max_waiting ||
               (!waiting.packets.empty() && waiting.bytes + bytes > services_.options.max_waiting_bytes)) {
        services_.metrics.queue_refusals().Increment();
        if (nsp.state != State::connected) return end_connection(Errc::protocol_error);
        return refuse(packet, Error{Errc::rate_limited, "too many events are waiting for their turn", "", 1});
    }
    waiting.bytes += bytes;
    waiting.packets.push_back(std::move(packet));
}

void Client::run(Namespace &nsp, Inbound packet) {
    if (packet.traceparent.empty()) packet.traceparent = nsp.traceparent;
    nsp.waiting->busy = true;
    nsp.waiting->in_sql = packet.kind == Inbound::Kind::ack ||
                          (packet.kind == Inbound::Kind::event && packet.event != "room:join" && packet.event != "room:leave");
    switch (packet.kind) {
        case Inbound::Kind::join: return join(nsp, std::move(packet));
        case Inbound::Kind::leave: return leave(nsp, std::move(packet));
        case Inbound::Kind::event:
            if (packet.event == "room:join") return join(nsp, std::move(packet));
            if (packet.event == "room:leave") return leave(nsp, std::move(packet));
            if (packet.event == "auth:refresh") return refresh(nsp, std::move(packet));
            return event(nsp, std::move(packet));
        case Inbound::Kind::ping:  // those that waited for the CONNECT to be answered
            answer_at_once(nsp, packet);
            return done(nsp.serial);
        case Inbound::Kind::ack: return tell_answer(nsp, std::move(packet));
        case Inbound::Kind::connect:
        case Inbound::Kind::disconnect: return done(nsp.serial);
    }
}

void Client::done(std::uint32_t serial) {
    Namespace *nsp = find(serial);
    if (nsp == nullptr || nsp->state != State::connected || !nsp->waiting) return;
    nsp->waiting->busy = false;
    if (nsp->waiting->packets.empty()) {
        nsp->waiting.reset();
        return end_if_drained();
    }
    Inbound next = std::move(nsp->waiting->packets.front());
    nsp->waiting->packets.pop_front();
    nsp->waiting->bytes -= std::min(nsp->waiting->bytes, weight(next));
    if (answer_at_once(*nsp, next)) return done(serial);
    run(*nsp, std::move(next));  // recursion is bounded by max_waiting: only packets that are answered at once recurse
}

void Client::drain() {
    draining_ = true;
    end_if_drained();
}

bool Client::at_work() const {
    return std::any_of(namespaces_.begin(), namespaces_.end(),
                       [](const auto &nsp) { return nsp->state == State::connecting || nsp->waiting; });
}

void Client::end_if_drained() {
    if (draining_ && !at_work()) end_connection(Errc::shutting_down);
}

Client::Namespace *Client::find(std::string_view name) {
    for (auto &nsp : namespaces_) {
        if (nsp->name == name) return nsp.get();
    }
    return nullptr;
}

Client::Namespace *Client::find(std::uint32_t serial) {
    for (auto &nsp : namespaces_) {
        if (nsp->serial == serial) return nsp.get();
    }
    return nullptr;
}

Client::Namespace *Client::find(SessionId session) {
    for (auto &nsp : namespaces_) {
        if (session && nsp->session == session) return nsp.get();
    }
    return nullptr;
}

void Client::answer(Namespace &nsp, const Inbound &packet, std::string_view args, std::span<const std::string> attachments) {
    if (!packet.id) return;
    services_.hub.send(nsp.session, hub::make_frame(codec::ack_frame(protocol_, nsp.name, *packet.id, args, attachments)));
}

void Client::refuse(const Inbound &packet, const Error &error, std::string_view correlation_id) {
    codec::ErrorDetails details;
    details.event = packet.id ? std::string_view{} : std::string_view(packet.event);
    details.correlation_id = correlation_id;
    if (error.retry_after > 0) details.retry_after = error.retry_after;
    services_.hub.send(
        id_, hub::make_frame(codec::error_frame(protocol_, packet.nsp, packet.id.value_or(""), error, details, offset(find(packet.nsp)))));
}

void Client::end_connection(Errc why) {
    if (ending_) return;
    ending_ = true;
    services_.hub.close(id_, why);
}

std::string Client::context(const Claims &claims, const PublicId &key, const PublicId &socket_id, std::string_view nsp,
                            const Trace &trace) const {
    const Context all{.claims = &claims,
                      .session_id = key.view(),
                      .socket_id = socket_id.view(),
                      .nsp = nsp,
                      .ip = peer_.ip,
                      .transport = transport_,
                      .correlation_id = trace.correlation_id,
                      .traceparent = trace.traceparent};
    return all.json();
}

std::string Client::context(const Namespace &nsp, const Trace &trace) const {
    const hub::Session *session = services_.hub.find(nsp.session);
    if (session == nullptr) return "{}";
    std::string out = context(*session->claims, session->key, session->socket_id, nsp.name, trace);
    out.insert(out.size() - 1, R"(,"generation":)" + std::to_string(nsp.generation));
    return out;
}

}  // namespace bridge::handlers
