// See reply.hpp.
#include "http/reply.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "codec/error_json.hpp"
#include "http/head.hpp"

namespace bridge::http {

namespace {

std::string_view phrase(int status) {
    switch (status) {
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 413: return "Content Too Large";
        case 415: return "Unsupported Media Type";
        case 417: return "Expectation Failed";
        case 422: return "Unprocessable Content";
        case 426: return "Upgrade Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        default: return "Status";
    }
}

void add(std::string &out, std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
}

bool names(const Reply &reply, std::string_view header) {
    return std::any_of(reply.headers.begin(), reply.headers.end(), [header](const auto &one) { return same_word(one.first, header); });
}

// All but the empty line. `length`: none is said.
std::string head(const Reply &reply, bool close, bool length) {
    std::string out;
    out.reserve(256 + reply.body.size());
    out += "HTTP/1.1 ";
    out += std::to_string(reply.status);
    out += ' ';
    out += phrase(reply.status);
    out += "\r\n";
    if (reply.status != 204 && reply.status != 304) {
        if (!reply.content_type.empty()) add(out, "Content-Type", reply.content_type);
        if (length) add(out, "Content-Length", std::to_string(reply.body.size()));
    }
    if (!names(reply, "cache-control")) add(out, "Cache-Control", "no-store");
    add(out, "Connection", close ? "close" : "keep-alive");
    for (const auto &[name, value] : reply.headers) {
        if (name.find_first_of("\r\n: ") == std::string::npos && value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos) {
            add(out, name, value);
        }
    }
    return out;
}

}  // namespace

Reply error_reply(int status, std::string_view code, std::string_view message, std::string_view hint) {
    Reply reply;
    reply.status = status;
    std::string &body = reply.body;
    body = R"({"error":{"code":)";
    json::append_quoted(body, code);
    body += R"(,"message":)";
    json::append_quoted(body, message);
    if (!hint.empty()) {
        body += R"(,"hint":)";
        json::append_quoted(body, hint);
    }
    body += "}}";
    return reply;
}

Reply error_reply(const Error &error) {
    Reply reply;
    reply.status = info(error.code).http_status;
    std::optional<std::int64_t> wait;
    if (error.retry_after > 0) wait = error.retry_after;
    if (reply.status == 503 && !wait) wait = 1;
    if (wait) reply.headers.emplace_back("Retry-After", std::to_string(*wait));
    codec::ErrorDetails details;
    details.retry_after = wait;
    reply.body = codec::wrapped_error_json(error, details);
    return reply;
}

std::string render(const Request &request, const Reply &reply) {
    std::string out = head(reply, reply.close, true);
    out += "\r\n";
    if (reply.status != 204 && reply.status != 304 && request.method != Method::head) out += reply.body;
    return out;
}

std::string render_endless_head(const Request &, const Reply &reply) { return head(reply, true, false) + "\r\n"; }

// ---- other origins

namespace {
bool lists(const Cors &cors, std::string_view origin) {
    return std::find(cors.origins.begin(), cors.origins.end(), origin) != cors.origins.end();
}
}  // namespace

bool Cors::allows_socket(const Request &request) const {
    const std::string_view origin = request.header("origin");
    if (origin.empty() || origins.empty() || lists(*this, "*") || lists(*this, origin)) return true;
    const std::size_t scheme = origin.find("://");  // its own page
    return scheme != std::string_view::npos && origin.substr(scheme + 3) == request.header("host");
}

void Cors::add_headers(const Request &request, Reply &reply) const {
    if (origins.empty()) return;
    std::string exposed = "Pulse-Cursor, Retry-After";
    for (const auto &[name, value] : reply.headers) {
        if (!same_word(name, "pulse-cursor") && !same_word(name, "retry-after") && !same_word(name, "set-cookie")) exposed += ", " + name;
    }
    reply.headers.emplace_back("Vary", "Origin");
    const std::string_view origin = request.header("origin");
    if (origin.empty()) return;
    if (lists(*this, origin)) {
        reply.headers.emplace_back("Access-Control-Allow-Origin", origin);
        reply.headers.emplace_back("Access-Control-Allow-Credentials", "true");
    } else if (lists(*this, "*")) {
        reply.headers.emplace_back("Access-Control-Allow-Origin", "*");
    } else {
        return;
    }
    reply.headers.emplace_back("Access-Control-Expose-Headers", std::move(exposed));
}

Reply Cors::preflight(const Request &request) const {
    Reply reply;
    reply.status = 204;
    if (origins.empty() || request.header("origin").empty()) return reply;
    reply.headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    if (const std::string_view asked = request.header("access-control-request-headers"); !asked.empty()) {
        reply.headers.emplace_back("Access-Control-Allow-Headers", asked);
    }
    reply.headers.emplace_back("Access-Control-Max-Age", "600");
    return reply;
}

}  // namespace bridge::http
