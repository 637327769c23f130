// See engineio.hpp.
#include "transport/engineio.hpp"

#include <utility>

#include "base/json.hpp"
#include "codec/engineio.hpp"
#include "codec/websocket_frame.hpp"
#include "transport/engineio_session.hpp"

namespace bridge::transport {

http::Reply engineio_error(int status, int code, std::string_view message) {
    http::Reply reply;
    reply.status = status;
    reply.body = R"({"code":)" + std::to_string(code) + R"(,"message":)" + json::quote(message) + "}";
    return reply;
}

std::optional<http::Reply> refuse_engineio(const http::Request &request, Sid sid, bool full, const http::Cors &cors) {
    const auto transport = request.param("transport").value_or("");
    const bool websocket = transport == "websocket";
    if (!websocket && transport != "polling") return engineio_error(400, 0, "Transport unknown");
    for (const char c : request.header("origin")) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7f) return engineio_error(400, 3, "Bad request");
    }
    if (sid == Sid::unknown) return engineio_error(400, 1, "Session ID unknown");
    if (request.upgrade != websocket && (request.upgrade || sid != Sid::none)) return engineio_error(400, 3, "Bad request");
    if (sid == Sid::websocket && !request.upgrade) return engineio_error(400, 3, "Bad request");
    if (sid == Sid::none) {
        if (request.method != http::Method::get) return engineio_error(400, 2, "Bad handshake method");
        if (websocket && !request.upgrade) return engineio_error(400, 3, "Bad request");
    }
    if ((sid == Sid::none || request.upgrade) && !cors.allows_socket(request)) return engineio_error(403, 4, "Forbidden");
    if (sid == Sid::none) {
        if (full) return engineio_error(403, 4, "Forbidden");
        if (request.param("EIO").value_or("3") != "4") return engineio_error(400, 5, "Unsupported protocol version");
    }
    return std::nullopt;
}

Engineio::Engineio(handlers::Services &services, const SessionOptions &options, const http::Cors &cors)
    : services_(services), options_(options), cors_(cors), pollers_(options.polling) {}
Engineio::~Engineio() = default;

EngineioSession *Engineio::find(std::string_view sid) {
    const auto id = PublicId::parse(sid);
    const auto found = id ? sessions_.find(*id) : sessions_.end();
    return found == sessions_.end() ? nullptr : found->second.get();
}

void Engineio::erase(const PublicId &sid) {
    const auto found = sessions_.find(sid);
    const auto session = std::move(found->second);  // it goes when nobody finds it any more
    sessions_.erase(found);
}

void Engineio::request(http::Exchange &exchange, bool echo) {
    const http::Request &request = exchange.request();
    const auto given = request.param("sid");
    EngineioSession *session = given ? find(*given) : nullptr;
    if (session != nullptr && session->expire(request)) session = nullptr;
    if (session != nullptr && session->echoes() != echo) session = nullptr;
    const Sid sid = !given ? Sid::none : session == nullptr ? Sid::unknown : session->polls() ? Sid::polling : Sid::websocket;
    const bool full = draining_ || sessions_.size() >= options_.max_sessions;
    if (auto refusal = refuse_engineio(request, sid, full, cors_)) return exchange.respond(std::move(*refusal));
    if (request.upgrade) {
        if (auto refusal = refuse_handshake(request)) return exchange.respond(std::move(*refusal));
    }
    if (session == nullptr) return begin(exchange, echo);
    if (request.upgrade) return upgrade(exchange, *session);
    session->polled(exchange);
}

namespace {
// The official server takes the first that is offered.
std::string websocket_answer(const http::Request &request) {
    const auto offered = offered_subprotocols(request);
    return handshake_answer(request, offered.empty() ? std::string_view{} : offered.front());
}
}  // namespace

void Engineio::begin(http::Exchange &exchange, bool echo) {
    const http::Request &request = exchange.request();
    if (!request.upgrade && pollers_.enter(request.ip, services_.deadlines.now()))
        return exchange.respond(engineio_error(403, 4, "Forbidden"));
    const bool base64 = request.param("b64").value_or("") == "1";
    const PublicId sid = services_.rng.id();
    auto made = std::make_unique<EngineioSession>(*this, sid, base64 ? Protocol::socketio_base64 : Protocol::socketio, peer_of(request),
                                                  request.upgrade ? "websocket" : "polling", echo);
    EngineioSession &session = *made;
    sessions_.emplace(sid, std::move(made));
    if (!request.upgrade) return session.open(exchange);
    const std::string answer = websocket_answer(request);
    std::string received;
    net::StreamPtr stream = exchange.detach(received);
    session.open(std::move(stream), answer, received);
}

void Engineio::upgrade(http::Exchange &exchange, EngineioSession &session) {
    const http::Request &request = exchange.request();
    const std::string answer = websocket_answer(request);
    const bool base64 = request.param("b64").value_or("") == "1";
    std::string received;
    net::StreamPtr stream = exchange.detach(received);
    stream->write(answer);
    if (session.may_upgrade()) return session.probe(std::move(stream), base64, received);
    stream->write(std::string_view("\x88\x02\x03\xe8", 4));  // one that upgrades or has upgraded must not notice it: close, 1000
    net::close_after_writing(std::move(stream));
}

}  // namespace bridge::transport
