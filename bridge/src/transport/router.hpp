// Which request goes where, by listener and path; the checks that come before a WebSocket is accepted; CORS. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/protocol.hpp"
#include "transport/request.hpp"

namespace bridge::transport {

enum class Route {
    socketio,  // /socket.io/
    native,    // /ws
    health,
    ready,
    metrics,
    internal,  // /internal/…, on the internal listener only
    not_found,
};

Route route(bool internal_listener, std::string_view path);

struct Reply {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
};

Reply error_reply(int status, std::string_view code, std::string_view message);

// May a page of this origin open a socket or read an answer? An empty list leaves sockets open to every origin (the token is the
// protection, no cookie is read) and sends no CORS header.
struct Cors {
    std::vector<std::string> origins;  // "*": any
    bool allows_socket(const Request &request) const;
    void add_headers(const Request &request, Reply &reply) const;
    Reply preflight(const Request &request) const;
};

// Engine.IO's refusals, in the order of its reference implementation: {"code":…,"message":"…"}. nullopt: go on.
std::optional<Reply> refuse_engineio(const Request &request, const Cors &cors);

// RFC 6455 §4.2.1, where the library is lenient, and the subprotocol of /ws.
std::optional<Reply> refuse_websocket(const Request &request, Route route, const Cors &cors);

}  // namespace bridge::transport
