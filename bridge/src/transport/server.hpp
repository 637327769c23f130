// The two listeners and what arrives on them: each request goes to the transport of its path, or is answered here. By which listener a
// connection came is remembered on its stream, never taken from its Host header.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "handlers/services.hpp"
#include "http/connections.hpp"
#include "net/acceptor.hpp"
#include "net/admission.hpp"
#include "net/tls.hpp"
#include "transport/engineio.hpp"
#include "transport/native.hpp"
#include "transport/poll.hpp"
#include "transport/refusals.hpp"
#include "transport/requests.hpp"
#include "transport/sse.hpp"

namespace bridge::transport {

struct ServerOptions {
    std::string host = "127.0.0.1", internal_host = "127.0.0.1";
    std::uint16_t port = 8080, internal_port = 8081;
    net::AdmissionOptions admission;                                // to the public listener
    const net::TlsContext *tls = nullptr, *internal_tls = nullptr;  // of the listeners; null: plain. They outlive the server.
    std::vector<Network> trusted_proxies;
    int send_buffer = 65'536;
    std::vector<std::string> internal_tokens;  // none: /internal/* refuses everybody
    SseOptions sse;
    http::Cors cors;
    http::Limits http;
    SessionOptions session;
};

// What the plain routes answer; the app knows. internal: asked on the internal listener.
struct Pages {
    std::function<http::Reply()> health;
    std::function<http::Reply(bool internal)> ready;
    std::function<http::Reply()> metrics;
};

class Server final : private http::Service, private net::Stream::Counter {
public:
    // Throws when an address cannot be bound.
    Server(loop::Loop &loop, handlers::Services &services, ServerOptions options, Pages pages);
    ~Server() override;
    Server(const Server &) = delete;
    Server &operator=(const Server &) = delete;

    void start();
    // Takes nobody new any more. Who is here stays until told: app/drain.
    void drain();
    // Asked from time to time after drain(): has everybody his answer? The public listener stays until nobody polls, since a polling
    // session fetches what it is told by connections of its own.
    bool drained();
    std::uint16_t port() const { return public_.port(); }
    std::uint16_t internal_port() const { return internal_.port(); }

    struct Counts {
        std::size_t websocket, polling, sse, poll;
    };
    Counts counts() const;
    void use_internal_tokens(std::vector<std::string> tokens) { requests_.use_internal_tokens(std::move(tokens)); }

private:
    void request(http::Exchange &exchange) override;
    void refusing(const http::Request &request, http::Reply &reply) override;
    void closed(const net::Stream &stream) override;
    void see_through_proxies(http::Request &request) const;
    void refuse(int fd, std::string ip, net::Refusal why);
    void accepted(int fd, std::string ip, bool internal);
    http::Reply page(const http::Request &request, bool internal);

    loop::Loop &loop_;
    handlers::Services &services_;
    const ServerOptions options_;
    Pages pages_;
    net::Admission admission_;
    bool listening_ = false;
    // After those below are gone: what they say last outlives them as orphans, which are counted here.
    struct Orphans {
        loop::Poller &poller;
        ~Orphans() { poller.end_orphans(); }
    } orphans_{loop_.poller()};
    http::Connections connections_;
    Refusals refusals_;
    Engineio engineio_;
    Native native_;
    Sse sse_;
    Polls polls_;
    Requests requests_;
    net::Acceptor public_;
    net::Acceptor internal_;
};

}  // namespace bridge::transport
