// One request and its answer, as the transports see it. The connection behind it (http/connection.hpp) parses, bounds and times what
// comes in, one request at a time; what is pipelined waits. The answer may come at once, later, or never: then the stream under it is
// handed over and becomes a WebSocket or an event stream.
#pragma once

#include <string>

#include "http/reply.hpp"
#include "http/request.hpp"
#include "net/stream.hpp"

namespace bridge::http {

class Exchange;

// Somebody who answers later, or wants the body. Calls come from the connection, never inside a call of Exchange.
class Watcher {
public:
    virtual ~Watcher() = default;
    // The whole request is here, its body in request().body. Called once for every watched exchange, also for one without a body.
    virtual void complete(Exchange &exchange) = 0;
    // The connection ended before the answer: the client went, or its body did not come in time. The exchange is gone after this call.
    virtual void gone(Exchange &exchange) = 0;
};

class Exchange {
public:
    virtual ~Exchange() = default;
    virtual Request &request() = 0;  // the head is complete; a parked exchange may clear what it does not need
    virtual bool internal() const = 0;

    // From now on `watcher` is told. It must live until complete-and-answered, gone(), or unwatch().
    virtual void watch(Watcher &watcher) = 0;
    virtual void unwatch() = 0;

    // The whole answer. The exchange must not be used after it. Before the body has come the rest of it is not read: the connection ends.
    virtual void respond(Reply reply) = 0;

    // The stream itself, for what is not request and answer any more. `received`: bytes that came behind the request.
    // The exchange and its connection are gone after it. Only for a request without a body.
    virtual net::StreamPtr detach(std::string &received) = 0;
};

class Service {
public:
    virtual ~Service() = default;
    // The head of a request is here. Answer it, watch it, or detach its stream; one that is left alone is answered with 500.
    virtual void request(Exchange &exchange) = 0;
    // The connection itself refuses a request, as far as it was read: a path may have a form of its own for that.
    virtual void refusing(const Request &, Reply &) {}
};

}  // namespace bridge::http
