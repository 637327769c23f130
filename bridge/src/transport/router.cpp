// See router.hpp. Every refusal is an answer with a body that says why.
#include "transport/router.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "base/json.hpp"
#include "codec/native.hpp"

namespace bridge::transport {

Route route(bool internal_listener, std::string_view path) {
    if (path == "/health") return Route::health;
    if (path == "/ready") return Route::ready;
    if (internal_listener) {
        if (path == "/metrics") return Route::metrics;
        if (path.starts_with("/internal/")) return Route::internal;
        return Route::not_found;
    }
    if (path == "/socket.io/") return Route::socketio;
    if (path == "/ws") return Route::native;
    return Route::not_found;
}

Reply error_reply(int status, std::string_view code, std::string_view message) {
    Reply reply;
    reply.status = status;
    reply.body = R"({"error":{"code":)" + json::quote(code) + R"(,"message":)" + json::quote(message) + "}}";
    return reply;
}

bool Cors::allows_socket(const Request &request) const {
    if (request.origin.empty() || origins.empty()) return true;
    if (std::find(origins.begin(), origins.end(), "*") != origins.end()) return true;
    if (std::find(origins.begin(), origins.end(), request.origin) != origins.end()) return true;
    const std::size_t scheme = request.origin.find("://");  // its own page
    return scheme != std::string::npos && std::string_view(request.origin).substr(scheme + 3) == request.host;
}

void Cors::add_headers(const Request &request, Reply &reply) const {
    if (origins.empty()) return;
    reply.headers.emplace_back("Vary", "Origin");
    if (request.origin.empty()) return;
    if (std::find(origins.begin(), origins.end(), "*") != origins.end()) {
        reply.headers.emplace_back("Access-Control-Allow-Origin", "*");
    } else if (std::find(origins.begin(), origins.end(), request.origin) != origins.end()) {
        reply.headers.emplace_back("Access-Control-Allow-Origin", request.origin);
    }
}

Reply Cors::preflight(const Request &request) const {
    Reply reply;
    reply.status = 204;
    if (origins.empty() || request.origin.empty()) return reply;
    reply.headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    if (!request.request_headers.empty()) {
        reply.headers.emplace_back("Access-Control-Allow-Headers", request.request_headers);
    }
    reply.headers.emplace_back("Access-Control-Max-Age", "600");
    return reply;
}

namespace {
Reply engineio_error(int status, int code, std::string_view message) {
    Reply reply;
    reply.status = status;
    reply.body = R"({"code":)" + std::to_string(code) + R"(,"message":)" + json::quote(message) + "}";
    return reply;
}
}  // namespace

std::optional<Reply> refuse_engineio(const Request &request, const Cors &cors) {
    // Long-polling is not offered here, so `polling` is as unknown a transport as any other word.
    if (request.param("transport").value_or("") != "websocket") return engineio_error(400, 0, "Transport unknown");
    for (const char c : request.origin) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7f) return engineio_error(400, 3, "Bad request");
    }
    if (request.param("sid")) return engineio_error(400, 1, "Session ID unknown");  // an upgrade needs a polling session
    if (request.method != Method::get) return engineio_error(400, 2, "Bad handshake method");
    if (!request.upgrade) return engineio_error(400, 3, "Bad request");
    if (!cors.allows_socket(request)) return engineio_error(403, 4, "Forbidden");
    if (request.param("EIO").value_or("3") != "4") return engineio_error(400, 5, "Unsupported protocol version");
    return std::nullopt;
}

std::optional<Reply> refuse_websocket(const Request &request, Route where, const Cors &cors) {
    if (request.method != Method::get) return error_reply(400, "bad_request", "a WebSocket is opened with GET");
    if (request.websocket_version != "13") {
        Reply reply = error_reply(426, "bad_request", "Sec-WebSocket-Version must be 13");
        reply.headers.emplace_back("Sec-WebSocket-Version", "13");
        return reply;
    }
    const auto key = base64::decode(request.websocket_key);
    if (!key || key->size() != 16) return error_reply(400, "bad_request", "Sec-WebSocket-Key is not 16 bytes in base64");
    if (!cors.allows_socket(request)) return error_reply(403, "forbidden", "this origin may not connect");
    if (where == Route::native) {
        // The library hangs up without a word when it is offered only subprotocols that it does not know.
        std::string_view offered = request.subprotocols;
        bool found = false;
        while (!offered.empty() && !found) {
            const std::size_t comma = offered.find(',');
            std::string_view one = offered.substr(0, comma);
            while (one.starts_with(' ')) one.remove_prefix(1);
            while (one.ends_with(' ')) one.remove_suffix(1);
            found = one == codec::native::kSubprotocol;
            offered.remove_prefix(comma == std::string_view::npos ? offered.size() : comma + 1);
        }
        if (!found) return error_reply(400, "bad_request", "the subprotocol pulse.v1.json is required");
    } else if (!request.subprotocols.empty()) {
        return error_reply(400, "bad_request", "no subprotocol is spoken here");
    }
    return std::nullopt;
}

}  // namespace bridge::transport
