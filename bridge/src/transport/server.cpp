// See server.hpp.
#include "transport/server.hpp"

#include <memory>
#include <utility>

#include "transport/router.hpp"

namespace bridge::transport {

Server::Server(loop::Loop &loop, handlers::Services &services, ServerOptions options, Pages pages)
    : loop_(loop), services_(services), options_(std::move(options)), pages_(std::move(pages)), admission_(options_.admission),
      connections_(services.deadlines, *this, options_.cors, options_.http), refusals_(services.deadlines, options_.cors, options_.http),
      engineio_(services, options_.session, options_.cors), native_(services, options_.session, options_.cors),
      sse_(services, options_.sse, options_.cors), polls_(services), requests_(services, sse_, options_.internal_tokens),
      public_(loop, options_.host, options_.port, options_.send_buffer,
              [this](int fd, std::string ip) { accepted(fd, std::move(ip), false); }),
      internal_(loop, options_.internal_host, options_.internal_port, options_.send_buffer,
                [this](int fd, std::string ip) { accepted(fd, std::move(ip), true); }) {}

Server::~Server() = default;

void Server::start() {
    listening_ = true;
    public_.start();
    internal_.start();
}

void Server::drain() {
    engineio_.drain();
    native_.drain();
    sse_.drain();
    polls_.drain();
    (void)drained();
}

bool Server::drained() {
    connections_.drain();
    if (engineio_.counts().polling > 0) return false;
    if (std::exchange(listening_, false)) public_.finish();
    return connections_.size() == 0 && refusals_.size() == 0;
}

Server::Counts Server::counts() const {
    const Engineio::Counts engineio = engineio_.counts();
    return {engineio.websocket + native_.size(), engineio.polling, sse_.open(), polls_.waiting()};
}

void Server::accepted(int fd, std::string ip, bool internal) {
    if (!internal) {
        if (const auto refusal = admission_.enter(ip, services_.deadlines.now())) return refuse(fd, std::move(ip), *refusal);
    }
    const net::TlsContext *tls = internal ? options_.internal_tls : options_.tls;
    auto stream = std::make_unique<net::Stream>(loop_, fd, std::move(ip), internal, tls != nullptr ? tls->session(fd) : nullptr);
    if (!internal) stream->count_by(*this);
    connections_.add(std::move(stream));
}

void Server::closed(const net::Stream &stream) { admission_.leave(stream.ip()); }

void Server::refuse(int fd, std::string ip, net::Refusal why) {
    services_.metrics.connections_refused(net::reason(why)).Increment();
    auto stream = std::make_unique<net::Stream>(loop_, fd, std::move(ip), false, nullptr);
    if (options_.tls != nullptr) return;  // there is no telling anything before the handshake
    refusals_.refuse(std::move(stream), why, loop_.poller().orphans());
}

// The client's own address, whatever stands between it and us.
void Server::see_through_proxies(http::Request &request) const {
    std::string forwarded_for;
    for (const auto &[name, value] : request.headers) {
        if (name == "x-forwarded-for") forwarded_for.append(forwarded_for.empty() ? "" : ",").append(value);
    }
    request.ip = net::client_address(request.ip, forwarded_for, options_.trusted_proxies);
}

void Server::request(http::Exchange &exchange) {
    if (!options_.trusted_proxies.empty()) see_through_proxies(exchange.request());
    const http::Request &request = exchange.request();
    if (request.method == http::Method::options) return exchange.respond(options_.cors.preflight(request));
    switch (route(exchange.internal(), request.path)) {
        case Route::engineio: return engineio_.request(exchange);
        case Route::engineio_echo:
            if (options_.session.engineio_echo) return engineio_.request(exchange, true);
            break;
        case Route::native: return native_.request(exchange);
        case Route::health:
        case Route::ready:
        case Route::metrics: return exchange.respond(page(request, exchange.internal()));
        case Route::sse: return sse_.request(exchange);
        case Route::poll: return polls_.request(exchange);
        case Route::application: return requests_.request(exchange);
    }
    exchange.respond(http::error_reply(404, "not_found", "no such path"));
}

// Engine.IO's own words for a body that is too large are none.
void Server::refusing(const http::Request &request, http::Reply &reply) {
    const Route to = route(false, request.path);
    if (reply.status != 413 || (to != Route::engineio && to != Route::engineio_echo)) return;
    reply.body.clear();
    reply.content_type.clear();
}

http::Reply Server::page(const http::Request &request, bool internal) {
    if (request.method != http::Method::get && request.method != http::Method::head) {
        http::Reply reply = http::error_reply(405, "bad_request", "only GET and HEAD");
        reply.headers.emplace_back("Allow", "GET, HEAD, OPTIONS");
        return reply;
    }
    switch (route(internal, request.path)) {
        case Route::health: return pages_.health();
        case Route::ready: return pages_.ready(internal);
        default: return pages_.metrics();
    }
}

}  // namespace bridge::transport
