// The trampoline is noexcept: whatever goes wrong inside ends that one connection.
#include "transport/server.hpp"

#include <libwebsockets.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <utility>

#include "auth/jwt.hpp"
#include "base/log.hpp"
#include "codec/native.hpp"
#include "transport/http.hpp"

namespace bridge::transport {

namespace {

constexpr int kBodyDeadlineMicroseconds = 15'000'000;
constexpr std::size_t kReceiveBuffer = 128;  // a connection; longer messages come in pieces

// A connection's opaque pointer: which listener it came by, and its WebSocket once it is one.
struct Attached {
    bool internal;
    std::unique_ptr<Socket> socket;
};
Attached *attached(lws *wsi) { return static_cast<Attached *>(lws_get_opaque_user_data(wsi)); }

int trampoline(lws *wsi, lws_callback_reasons reason, void *, void *in, size_t size) noexcept {
    const lws_protocols *protocol = lws_get_protocol(wsi);
    auto *server = protocol == nullptr ? nullptr : static_cast<Server *>(protocol->user);
    if (server == nullptr) return 0;
    try {
        return server->on_callback(wsi, reason, in, size);
    } catch (const std::exception &error) {
        log::error("a connection failed", {{"reason", error.what()}});
    } catch (...) {
        log::error("a connection failed", {{"reason", "unknown exception"}});
    }
    return -1;
}

void log_line(int level, const char *line) {
    if (level == LLL_ERR) {
        log::warn("libwebsockets", {{"says", line}});
    } else {
        log::debug("libwebsockets", {{"says", line}});
    }
}

loop::LwsOptions lws_options() {
    loop::LwsOptions options;
    options.log = log_line;
    return options;
}

}  // namespace

Server::Server(loop::Loop &loop, handlers::Services &services, ServerOptions options, Pages pages)
    : services_(services), options_(std::move(options)), pages_(std::move(pages)), lws_(loop, lws_options()),
      public_(loop, options_.host, options_.port, options_.send_buffer, [this](int fd) { adopt(fd, false); }),
      internal_(loop, options_.internal_host, options_.internal_port, options_.send_buffer, [this](int fd) { adopt(fd, true); }) {
    // tx_packet_size must be given, or it follows the receive buffer.
    static std::array<lws_protocols, 3> protocols;  // libwebsockets keeps the pointer
    protocols = {{{"http", trampoline, 0, kReceiveBuffer, 0, this, 65536},
                  {codec::native::kSubprotocol.data(), trampoline, 0, kReceiveBuffer, 1, this, 65536},
                  {nullptr, nullptr, 0, 0, 0, nullptr, 0}}};
    static const lws_retry_bo_t no_pings{};  // heartbeats are ours: libwebsockets' own timers are O(n)
    lws_context_creation_info info{};
    info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info.vhost_name = "pulse";
    info.protocols = protocols.data();
    info.retry_and_idle_policy = &no_pings;
    info.alpn = "http/1.1";
    info.keepalive_timeout = 30;
    info.options = LWS_SERVER_OPTION_VALIDATE_UTF8;
    vhost_ = lws_create_vhost(lws_.context(), &info);
    if (vhost_ == nullptr) throw std::runtime_error("libwebsockets could not create its vhost");
}

Server::~Server() = default;

void Server::start() {
    public_.start();
    internal_.start();
}

void Server::drain() {
    draining_ = true;
    services_.hub.each_connection([this](ConnectionId id) {
        if (handlers::Client *client = services_.clients.find(id)) client->drain();
    });
}

void Server::close_all() {
    services_.hub.each_connection([this](ConnectionId id) { services_.hub.close(id, Errc::shutting_down); });
}

void Server::adopt(int fd, bool internal) {
    if (draining_ || (!internal && open_ >= options_.max_connections)) {
        constexpr std::string_view kFull =
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        (void)!send(fd, kFull.data(), kFull.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        ::close(fd);
        return;
    }
    lws *wsi = lws_adopt_socket_vhost(vhost_, fd);  // closes fd when it fails
    if (wsi == nullptr) return;
    ++open_;
    lws_set_opaque_user_data(wsi, new Attached{internal, nullptr});
}

int Server::on_callback(lws *wsi, int reason, void *in, std::size_t size) {
    Attached *at = attached(wsi);
    if (at == nullptr) return 0;  // libwebsockets' own pipe, or before adopt() is done
    Socket *socket = at->socket.get();
    switch (reason) {
        case LWS_CALLBACK_FILTER_HTTP_CONNECTION: return 0;
        case LWS_CALLBACK_HTTP: return http(wsi);
        case LWS_CALLBACK_TIMER: return -1;  // a body that drips
        case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
            return confirm_upgrade(wsi, in == nullptr ? std::string_view{} : std::string_view(static_cast<const char *>(in)));
        case LWS_CALLBACK_ESTABLISHED:
            if (socket == nullptr || draining_) return -1;  // let in before the drain: nobody would tell it to leave
            socket->established(wsi);
            return 0;
        case LWS_CALLBACK_RECEIVE: return socket == nullptr ? -1 : socket->receive(static_cast<const char *>(in), size);
        case LWS_CALLBACK_RECEIVE_PONG:
            if (socket != nullptr) socket->pong();
            return 0;
        case LWS_CALLBACK_SERVER_WRITEABLE: return socket == nullptr ? -1 : socket->writable();
        case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: return socket == nullptr ? 0 : socket->peer_closing();
        case LWS_CALLBACK_CLOSED:
            if (socket != nullptr) socket->closed();
            return 0;
        case LWS_CALLBACK_RAW_ADOPT:
        case LWS_CALLBACK_RAW_RX: return -1;  // what became of CONNECT
        case LWS_CALLBACK_WSI_DESTROY:
            if (socket != nullptr) socket->closed();
            lws_set_opaque_user_data(wsi, nullptr);
            delete at;
            --open_;
            return 0;
        default: return 0;
    }
}

int Server::confirm_upgrade(lws *wsi, std::string_view protocol) {
    Request request = read_request(wsi);
    if (protocol == "h2c" || !request.upgrade) return -1;
    if (const auto refusal = refuse_framing(request, 0)) {
        return respond_to_upgrade(wsi, request, error_reply(refusal->status, "bad_request", refusal->message));
    }
    Attached *at = attached(wsi);
    const Route where = route(at->internal, request.path);
    const auto refuse = [&](Reply reply) {
        options_.cors.add_headers(request, reply);
        return respond_to_upgrade(wsi, request, reply);
    };
    if (draining_) return refuse(error_reply(503, "unavailable", "the server is shutting down"));
    if (where != Route::socketio && where != Route::native) return refuse(error_reply(404, "not_found", "no such path"));
    if (where == Route::socketio) {
        if (auto reply = refuse_engineio(request, options_.cors)) return refuse(std::move(*reply));
    }
    if (auto reply = refuse_websocket(request, where, options_.cors)) return refuse(std::move(*reply));

    Protocol speaks = Protocol::native;
    if (where == Route::socketio) {
        const bool base64 = request.param("b64").value_or("") == "1";
        speaks = base64 ? Protocol::socketio_base64 : Protocol::socketio;
    }
    at->socket = std::make_unique<Socket>(services_, options_.socket, speaks,
                                          handlers::Peer{std::move(request.ip), request.bearer(), std::move(request.traceparent),
                                                         std::string(request.param("recovery").value_or("")),
                                                         std::string(request.param("since").value_or(""))});
    return 0;
}

int Server::http(lws *wsi) {
    const Request request = read_request(wsi);
    if (const auto refusal = refuse_framing(request, options_.max_body)) {
        return respond(wsi, request, error_reply(refusal->status, "bad_request", refusal->message), refusal->close);
    }
    // libwebsockets discards a body that nobody reads, but has no deadline of its own for one that drips.
    const bool body = request.content_length && *request.content_length != "0";
    lws_set_timer_usecs(wsi, body ? kBodyDeadlineMicroseconds : LWS_SET_TIMER_USEC_CANCEL);
    Reply reply = answer(request, attached(wsi)->internal);
    options_.cors.add_headers(request, reply);
    return respond(wsi, request, reply);
}

Reply Server::answer(const Request &request, bool internal) {
    if (request.method == Method::options) return options_.cors.preflight(request);
    const Route where = route(internal, request.path);
    if (where == Route::not_found) return error_reply(404, "not_found", "no such path");
    if (where == Route::internal) return internal_route(request);
    if (where == Route::socketio) {
        if (auto reply = refuse_engineio(request, options_.cors)) return std::move(*reply);
        return error_reply(400, "bad_request", "an upgrade to WebSocket is required");
    }
    if (where == Route::native) {
        Reply reply = error_reply(426, "bad_request", "an upgrade to WebSocket is required");
        reply.headers.emplace_back("Upgrade", "websocket");
        return reply;
    }
    if (request.method != Method::get && request.method != Method::head) {
        Reply reply = error_reply(405, "bad_request", "only GET and HEAD");
        reply.headers.emplace_back("Allow", "GET, HEAD, OPTIONS");
        return reply;
    }
    switch (where) {
        case Route::health: return pages_.health();
        case Route::ready: return pages_.ready(internal);
        default: return pages_.metrics();
    }
}

Reply Server::internal_route(const Request &request) {
    if (options_.internal_token.empty() || !auth::constant_time_equal(request.internal_token, options_.internal_token)) {
        return error_reply(401, "unauthenticated", "X-Internal-Token is missing or wrong");
    }
    return error_reply(404, "not_found", "no such path");
}

}  // namespace bridge::transport
