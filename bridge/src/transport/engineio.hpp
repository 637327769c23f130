// Engine.IO v4 at /socket.io/: sessions over WebSocket or HTTP long-polling, found by their sid. The rules of each request are pure
// (refuse_engineio), a session's life is in engineio_session.hpp, its polling half in polling.hpp.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/ids.hpp"
#include "handlers/services.hpp"
#include "http/exchange.hpp"
#include "transport/session.hpp"

namespace bridge::transport {

class EngineioSession;

class Engineio {
public:
    Engineio(handlers::Services &services, const SessionOptions &options, const http::Cors &cors);
    ~Engineio();
    Engineio(const Engineio &) = delete;
    Engineio &operator=(const Engineio &) = delete;

    // Any request to /socket.io/; with `echo` to /engine.io/, where messages are sent back as they came.
    void request(http::Exchange &exchange, bool echo = false);
    void drain() { draining_ = true; }  // nobody new

    struct Counts {
        std::size_t websocket = 0;
        std::size_t polling = 0;
    };
    Counts counts() const { return {sessions_.size() - polling_, polling_}; }

private:
    friend class EngineioSession;
    void begin(http::Exchange &exchange, bool echo);
    void upgrade(http::Exchange &exchange, EngineioSession &session);
    EngineioSession *find(std::string_view sid);
    void erase(const PublicId &sid);

    handlers::Services &services_;
    const SessionOptions &options_;
    const http::Cors &cors_;
    bool draining_ = false;
    std::size_t polling_ = 0;
    net::Admission pollers_;
    std::unordered_map<PublicId, std::unique_ptr<EngineioSession>> sessions_;
};

// What the sid of a request names.
enum class Sid { none, unknown, polling, websocket };

// Engine.IO's refusals, in the order of its reference implementation: {"code":…,"message":"…"}. nullopt: go on. `full`: no new session.
std::optional<http::Reply> refuse_engineio(const http::Request &request, Sid sid, bool full, const http::Cors &cors);

http::Reply engineio_error(int status, int code, std::string_view message);

}  // namespace bridge::transport
