// The native protocol at /ws: sessions that speak JSON messages over a WebSocket, kept alive by RFC 6455 pings.
#pragma once

#include <list>
#include <string_view>

#include "handlers/services.hpp"
#include "http/exchange.hpp"
#include "transport/session.hpp"

namespace bridge::transport {

class Native {
public:
    Native(handlers::Services &services, const SessionOptions &options, const http::Cors &cors);
    ~Native();

    void request(http::Exchange &exchange);  // any request to /ws
    void drain() { draining_ = true; }       // nobody new
    std::size_t size() const { return sessions_.size(); }

private:
    class Socket;

    handlers::Services &services_;
    const SessionOptions &options_;
    const http::Cors &cors_;
    bool draining_ = false;
    std::list<Socket> sessions_;
};

}  // namespace bridge::transport
