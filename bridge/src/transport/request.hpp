// What an HTTP request said, copied out of libwebsockets so that the rest of transport is plain C++ and can be tested with strings.
// read_request() is the only function here that touches a wsi. Limits on lengths are libwebsockets' (8 KB of headers in all).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct lws;

namespace bridge::transport {

enum class Method { get, head, post, put, patch, del, options, connect, unknown };

struct Request {
    Method method = Method::unknown;
    std::string path;                                        // percent-decoded, without query
    std::vector<std::pair<std::string, std::string>> query;  // percent-decoded
    std::string ip;

    std::string host, origin, authorization, internal_token, traceparent, connection;
    std::string request_headers;  // Access-Control-Request-Headers
    std::string websocket_key, websocket_version, subprotocols;
    bool upgrade = false;  // Upgrade: websocket
    bool http11 = false;
    bool transfer_encoding = false;
    std::optional<std::string> content_length;  // as it was written

    std::optional<std::string_view> param(std::string_view name) const;
    bool keep_alive() const;
    std::string bearer() const;  // the token of `Authorization: Bearer …`, else of ?token=
};

Request read_request(lws *wsi);
std::string peer_ip(lws *wsi);

// A reason to refuse a request whatever its path: a body that could be smuggled or is too large, or CONNECT.
struct Refusal {
    int status;
    std::string_view message;
    bool close;  // the rest of the connection cannot be trusted
};
std::optional<Refusal> refuse_framing(const Request &request, std::size_t max_body);

}  // namespace bridge::transport
