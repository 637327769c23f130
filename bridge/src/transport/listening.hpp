// What a request for events says: the same for /sse and /poll. And how a refusal is answered.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "handlers/authenticate.hpp"
#include "http/exchange.hpp"

namespace bridge::transport {

struct Listening {
    std::vector<std::string> rooms;   // each once
    std::vector<std::string> events;  // empty: all
};
// ?room=a&room=b, ?rooms=a,b, ?event=…
Result<Listening> read_listening(const http::Request &request);

// `Authorization: Bearer`, else ?token=, else the cookie pulse_token: EventSource can set no header.
std::string token_of(const http::Request &request);

// The cursor that an EventSource comes back with: its header, else ?lastEventId= or ?last_event_id= of one that cannot set it.
std::string last_event_id(const http::Request &request);

handlers::Asker asker(const http::Request &request, std::string_view transport);

// What the caller calls its request, X-Correlation-Id or X-Request-Id, else the trace that it belongs to; empty: it says nothing of it.
std::string correlation_id(const http::Request &request);

// {"error":{…}}
http::Reply failure(const Error &error, std::string_view correlation_id = {});

inline Error shutting_down() { return {Errc::shutting_down, "the server is shutting down", {}, 1}; }

// A parked request keeps only what its answer needs: thousands of them wait for hours.
void keep_little(http::Request &request);

}  // namespace bridge::transport
