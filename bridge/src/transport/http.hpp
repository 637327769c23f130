// Writes a Reply as one HTTP/1.1 answer and ends the transaction. The only place that composes response headers.
#pragma once

#include "transport/request.hpp"
#include "transport/router.hpp"

struct lws;

namespace bridge::transport {

// Head and body as bytes. HEAD gets the head alone; `close` and the request decide about the connection.
std::string render(const Request &request, const Reply &reply, bool close);

// What an lws HTTP callback should return: 0, or -1 to close.
int respond(lws *wsi, const Request &request, const Reply &reply, bool close = false);

// The same inside CONFIRM_UPGRADE, where 1 means "answered" and -1 "hang up".
int respond_to_upgrade(lws *wsi, const Request &request, const Reply &reply);

}  // namespace bridge::transport
