// Responses are small and written at once; libwebsockets keeps what a slow client does not take.
#include "transport/http.hpp"

#include <libwebsockets.h>

#include <string>
#include <vector>

namespace bridge::transport {

namespace {

std::string_view phrase(int status) {
    switch (status) {
        case 200: return "OK";
        case 204: return "No Content";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 411: return "Length Required";
        case 413: return "Content Too Large";
        case 426: return "Upgrade Required";
        case 503: return "Service Unavailable";
        default: return "Error";
    }
}

// False when the connection is broken.
bool write_all(lws *wsi, const std::string &bytes) {
    std::vector<unsigned char> buffer(LWS_PRE + bytes.size());
    std::copy(bytes.begin(), bytes.end(), buffer.begin() + LWS_PRE);
    return lws_write(wsi, buffer.data() + LWS_PRE, bytes.size(), LWS_WRITE_HTTP_FINAL) >= 0;
}

}  // namespace

std::string render(const Request &request, const Reply &reply, bool close) {
    std::string out = "HTTP/1.1 " + std::to_string(reply.status) + " " + std::string(phrase(reply.status)) + "\r\n";
    const auto add = [&out](std::string_view name, std::string_view value) {
        out += name;
        out += ": ";
        out += value;
        out += "\r\n";
    };
    if (reply.status != 204) {
        add("Content-Type", reply.content_type);
        add("Content-Length", std::to_string(reply.body.size()));
    }
    add("Cache-Control", "no-store");
    add("Connection", close ? "close" : "keep-alive");
    for (const auto &[name, value] : reply.headers) {
        if (value.find_first_of("\r\n") == std::string::npos) add(name, value);
    }
    out += "\r\n";
    if (reply.status != 204 && request.method != Method::head) out += reply.body;
    return out;
}

int respond(lws *wsi, const Request &request, const Reply &reply, bool close) {
    const bool last = close || !request.keep_alive();
    if (!write_all(wsi, render(request, reply, last))) return -1;
    if (close) return -1;
    return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
}

int respond_to_upgrade(lws *wsi, const Request &request, const Reply &reply) {
    const bool last = !request.keep_alive();
    return write_all(wsi, render(request, reply, last)) ? 1 : -1;
}

}  // namespace bridge::transport
