// An answer, and how it is written. The only place that composes response heads.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "http/request.hpp"

namespace bridge::http {

struct Reply {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    bool close = false;  // the connection ends after it
};

Reply error_reply(int status, std::string_view code, std::string_view message, std::string_view hint = {});
Reply error_reply(const Error &error);  // status, code, Retry-After from its row of base/error.hpp

// Head and body as bytes. HEAD gets the head alone, 204 and 304 no body.
std::string render(const Request &request, const Reply &reply);

// The head of an answer without end (text/event-stream): no length, the connection closes when it is over.
std::string render_endless_head(const Request &request, const Reply &reply);

// May a page of this origin open a socket or read an answer? An empty list leaves sockets open to every origin (the token is the
// protection) and sends no CORS header.
struct Cors {
    std::vector<std::string> origins;  // "*": any
    bool allows_socket(const Request &request) const;
    void add_headers(const Request &request, Reply &reply) const;  // the connection does it for every answer; who detaches does it itself
    Reply preflight(const Request &request) const;
};

}  // namespace bridge::http
