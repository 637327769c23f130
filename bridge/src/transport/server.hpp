// The two listeners and everything that arrives on them: the one libwebsockets callback of the process, which hands requests to the
// router and WebSockets to Socket. Public and internal listeners share one vhost; which one a connection came in by is remembered on
// the connection itself, never taken from its Host header.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "handlers/services.hpp"
#include "loop/lws_loop.hpp"
#include "transport/acceptor.hpp"
#include "transport/lws_socket.hpp"
#include "transport/request.hpp"
#include "transport/router.hpp"

struct lws;
struct lws_context;
struct lws_vhost;

namespace bridge::transport {

struct ServerOptions {
    std::string host = "127.0.0.1", internal_host = "127.0.0.1";
    std::uint16_t port = 8080, internal_port = 8081;
    std::size_t max_connections = 100'000;
    std::size_t max_body = 1'000'000;
    int send_buffer = 65'536;
    std::string internal_token;  // empty: /internal/* refuses everybody
    Cors cors;
    SocketOptions socket;
};

// What the plain routes answer; the app knows. internal: asked on the internal listener.
struct Pages {
    std::function<Reply()> health;
    std::function<Reply(bool internal)> ready;
    std::function<Reply()> metrics;
};

class Server {
public:
    // Throws when an address cannot be bound or libwebsockets does not start.
    Server(loop::Loop &loop, handlers::Services &services, ServerOptions options, Pages pages);
    ~Server();
    Server(const Server &) = delete;
    Server &operator=(const Server &) = delete;

    void start();
    // Takes no connection and no event any more. Asks every client to come back elsewhere (1001) once what it has under way is
    // answered; WebSockets end as their clients answer.
    void drain();
    // Asks those that are left, whatever they have under way.
    void close_all();
    std::uint16_t port() const { return public_.port(); }
    std::uint16_t internal_port() const { return internal_.port(); }

    // Of the libwebsockets trampoline only.
    int on_callback(lws *wsi, int reason, void *in, std::size_t size);

private:
    void adopt(int fd, bool internal);
    int confirm_upgrade(lws *wsi, std::string_view protocol);
    int http(lws *wsi);
    Reply answer(const Request &request, bool internal);
    Reply internal_route(const Request &request);

    handlers::Services &services_;
    const ServerOptions options_;
    Pages pages_;
    loop::LwsLoop lws_;
    lws_vhost *vhost_ = nullptr;
    std::size_t open_ = 0;  // adopted and not destroyed yet, HTTP included
    bool draining_ = false;
    Acceptor public_;
    Acceptor internal_;
};

}  // namespace bridge::transport
