// See server.hpp.
#include "transport/server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "handlers/client.hpp"
#include "net/tls.hpp"
#include "transport/router.hpp"

namespace bridge::transport {

Server::Server(loop::Loop &loop, handlers::Services &services, ServerOptions options, Pages pages)
    : loop_(loop), services_(services), options_(std::move(options)), pages_(std::move(pages)),
      connections_(services.deadlines, *this, options_.cors, options_.http), engineio_(services, options_.session, options_.cors),
      native_(services, options_.session, options_.cors), sse_(services, options_.sse, options_.cors), polls_(services),
      requests_(services, sse_, options_.internal_token), public_(loop, options_.host, options_.port, options_.send_buffer,
                                                                  [this](int fd, std::string ip) { accepted(fd, std::move(ip), false); }),
      internal_(loop, options_.internal_host, options_.internal_port, options_.send_buffer,
                [this](int fd, std::string ip) { accepted(fd, std::move(ip), true); }) {}

Server::~Server() {
    loop_.poller().end_orphans();  // they are counted here
}

void Server::start() {
    public_.start();
    internal_.start();
}

void Server::drain() {
    engineio_.drain();
    native_.drain();
    sse_.drain();
    polls_.drain();
    public_.finish();
    connections_.drain();
    services_.hub.each_connection([this](ConnectionId id) {
        if (handlers::Client *client = services_.clients.find(id)) return client->drain();
        services_.hub.close(id, Errc::shutting_down);
    });
}

void Server::close_all() {
    services_.hub.each_connection([this](ConnectionId id) { services_.hub.close(id, Errc::shutting_down); });
}

Server::Counts Server::counts() const {
    const Engineio::Counts engineio = engineio_.counts();
    return {engineio.websocket + native_.size(), engineio.polling, sse_.open(), polls_.waiting()};
}

void Server::accepted(int fd, std::string ip, bool internal) {
    if (!internal && open_ >= options_.max_connections) {
        constexpr std::string_view kFull =
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        (void)!send(fd, kFull.data(), kFull.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        ::close(fd);
        return;
    }
    auto stream = std::make_unique<net::Stream>(loop_, fd, std::move(ip), internal, nullptr);
    if (!internal) {
        ++open_;
        stream->count_by(*this);
    }
    connections_.add(std::move(stream));
}

void Server::closed(const net::Stream &) { --open_; }

void Server::request(http::Exchange &exchange) {
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
