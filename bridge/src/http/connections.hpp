// Every connection that still speaks HTTP: parses, bounds and times what comes in, one request at a time, and gives it to the Service as
// an Exchange. A connection leaves when its stream is handed over, when it is closed, or with the Connections.
#pragma once

#include <cstddef>
#include <cstdint>

#include "http/exchange.hpp"
#include "loop/wheel.hpp"
#include "net/stream.hpp"

namespace bridge::http {

struct Limits {
    std::size_t max_header_bytes = 16'384;  // request line and headers; more: 431
    std::size_t max_body = 1'000'000;       // 413
    std::size_t max_pipelined = 65'536;     // behind the request that is being answered; then the rest stays with the kernel
    std::int64_t head_deadline = 10'000;    // ms, from the connection's beginning, or the first byte of another request
    std::int64_t body_deadline = 15'000;    // from the end of the head
    std::int64_t idle_deadline = 75'000;    // between two requests
    bool answers_silence = false;           // who asks nothing by head_deadline is answered, too
};

class Connection;

class Connections {
public:
    Connections(loop::Deadlines &deadlines, Service &service, const Cors &cors, Limits limits);
    ~Connections();  // closes all
    Connections(const Connections &) = delete;
    Connections &operator=(const Connections &) = delete;

    void add(net::StreamPtr stream);

    // Closes those that have no request under way, nor, as far as can be told, on its way here: to be called again. The others close
    // with their answer.
    void drain();
    std::size_t size() const { return size_; }

private:
    friend class Connection;
    void end(Connection &connection);

    loop::Deadlines &deadlines_;
    Service &service_;
    const Cors &cors_;
    const Limits limits_;
    bool draining_ = false;
    Connection *first_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace bridge::http
