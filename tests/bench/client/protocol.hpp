// What the fleet's connections say and understand: one object a protocol, without state of its own, for all sockets. It opens (the
// Fleet is told by entered() when a socket is where it should be), answers heartbeats, and finds the events in what arrives.
#pragma once

#include "client/fleet.hpp"
#include "client/socket.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace bench {

class Protocol {
public:
    explicit Protocol(Fleet &fleet) : fleet_(fleet), options_(fleet.options()) {}
    virtual ~Protocol() = default;

    // Connected: the first bytes to send.
    virtual std::string hello(Socket &socket) = 0;
    // Takes what is complete and returns its length; the rest comes again, with more. The socket may have failed inside.
    virtual size_t received(Socket &socket, std::string_view bytes) = 0;
    virtual void send_text(Socket &, std::string_view) {}
    // The last words, when there are any.
    virtual void bye(Socket &) {}

protected:
    virtual bool token_in_header() const { return true; }
    // GET, or an upgrade, with the token in its header when there is one.
    std::string get(const Socket &socket, const std::string &path, const std::string &headers) const;

    Fleet &fleet_;
    const FleetOptions &options_;
};

// socketio, native, websocket (plain: every text is an event), sse, poll, polling (Engine.IO's), parked (one GET, never answered).
std::unique_ptr<Protocol> make_protocol(const std::string &name, Fleet &fleet);
std::unique_ptr<Protocol> make_websocket_protocol(const std::string &name, Fleet &fleet);
std::unique_ptr<Protocol> make_http_protocol(const std::string &name, Fleet &fleet);

// The string member `key` (with its quotes) of a flat JSON object, or empty.
std::string_view member(std::string_view text, std::string_view key);

}  // namespace bench
