// Copies the headers that the bridge reads out of a wsi, and judges how the request says where its body ends.
#include "transport/request.hpp"

#include <libwebsockets.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace bridge::transport {

namespace {

std::string header(lws *wsi, lws_token_indexes token) {
    const int length = lws_hdr_total_length(wsi, token);
    if (length <= 0) return {};
    std::string out(static_cast<std::size_t>(length) + 1, '\0');
    const int copied = lws_hdr_copy(wsi, out.data(), length + 1, token);
    out.resize(copied > 0 ? static_cast<std::size_t>(copied) : 0);
    return out;
}

std::string custom_header(lws *wsi, std::string_view name_with_colon) {
    const int name_length = static_cast<int>(name_with_colon.size());
    const int length = lws_hdr_custom_length(wsi, name_with_colon.data(), name_length);
    if (length <= 0) return {};
    std::string out(static_cast<std::size_t>(length) + 1, '\0');
    const int copied = lws_hdr_custom_copy(wsi, out.data(), length + 1, name_with_colon.data(), name_length);
    out.resize(copied > 0 ? static_cast<std::size_t>(copied) : 0);
    return out;
}

bool same_word(std::string_view a, std::string_view b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

constexpr std::array<std::pair<lws_token_indexes, Method>, 8> kMethods{{
    {WSI_TOKEN_GET_URI, Method::get},
    {WSI_TOKEN_HEAD_URI, Method::head},
    {WSI_TOKEN_POST_URI, Method::post},
    {WSI_TOKEN_PUT_URI, Method::put},
    {WSI_TOKEN_PATCH_URI, Method::patch},
    {WSI_TOKEN_DELETE_URI, Method::del},
    {WSI_TOKEN_OPTIONS_URI, Method::options},
    {WSI_TOKEN_CONNECT, Method::connect},
}};

}  // namespace

std::string peer_ip(lws *wsi) {
    std::array<char, 64> text{};
    lws_get_peer_simple(wsi, text.data(), text.size());
    std::string out(text.data());
    if (out.starts_with("::ffff:")) out.erase(0, 7);
    return out;
}

Request read_request(lws *wsi) {
    Request request;
    for (const auto &[token, method] : kMethods) {
        if (lws_hdr_total_length(wsi, token) <= 0) continue;
        request.method = method;
        request.path = header(wsi, token);
        break;
    }
    std::array<char, 8192> argument{};
    for (int n = 0;; ++n) {
        const int length = lws_hdr_copy_fragment(wsi, argument.data(), static_cast<int>(argument.size()), WSI_TOKEN_HTTP_URI_ARGS, n);
        if (length <= 0) break;
        const std::string_view text(argument.data(), static_cast<std::size_t>(length));
        const std::size_t equals = text.find('=');
        request.query.emplace_back(text.substr(0, equals), equals == std::string_view::npos ? std::string_view{} : text.substr(equals + 1));
    }
    request.ip = peer_ip(wsi);
    request.host = header(wsi, WSI_TOKEN_HOST);
    request.origin = header(wsi, WSI_TOKEN_ORIGIN);
    request.authorization = header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
    request.connection = header(wsi, WSI_TOKEN_CONNECTION);
    request.internal_token = custom_header(wsi, "x-internal-token:");
    request.traceparent = custom_header(wsi, "traceparent:");
    request.request_headers = custom_header(wsi, "access-control-request-headers:");
    request.websocket_key = header(wsi, WSI_TOKEN_KEY);
    request.websocket_version = header(wsi, WSI_TOKEN_VERSION);
    request.subprotocols = header(wsi, WSI_TOKEN_PROTOCOL);
    request.upgrade = same_word(header(wsi, WSI_TOKEN_UPGRADE), "websocket");
    const std::string version = header(wsi, WSI_TOKEN_HTTP);
    request.http11 = version == "HTTP/1.1";
    request.transfer_encoding = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0) {
        request.content_length = header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    }
    return request;
}

std::optional<std::string_view> Request::param(std::string_view name) const {
    for (const auto &[key, value] : query) {
        if (key == name) return std::string_view(value);
    }
    return std::nullopt;
}

bool Request::keep_alive() const {
    if (same_word(connection, "close")) return false;
    return http11 || same_word(connection, "keep-alive");
}

std::string Request::bearer() const {
    constexpr std::string_view kScheme = "bearer ";
    if (authorization.size() > kScheme.size() && same_word(std::string_view(authorization).substr(0, kScheme.size()), kScheme)) {
        return authorization.substr(kScheme.size());
    }
    return std::string(param("token").value_or(""));
}

std::optional<Refusal> refuse_framing(const Request &request, std::size_t max_body) {
    if (request.method == Method::connect || request.method == Method::unknown) {
        return Refusal{405, "method not allowed", true};
    }
    // Two ways to say where a body ends are one too many: a proxy in front may believe the other one.
    if (request.transfer_encoding) return Refusal{400, "Transfer-Encoding is not supported", true};
    const bool wants_body = request.method == Method::post || request.method == Method::put || request.method == Method::patch;
    if (!request.content_length) {
        if (wants_body) return Refusal{411, "Content-Length is missing", true};
        return std::nullopt;
    }
    const std::string &length = *request.content_length;
    if (length.empty() || length.find_first_not_of("0123456789") != std::string::npos) {
        return Refusal{400, "Content-Length is no number", true};
    }
    if (length.size() > 15 || std::stoull(length) > max_body) return Refusal{413, "the body is too large", true};
    return std::nullopt;
}

}  // namespace bridge::transport
