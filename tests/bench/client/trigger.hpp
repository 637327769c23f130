// How the load client makes a server send a message to a room: by pulse.publish over libpq (each call its own transaction,
// pipelined on eight connections), by ready NOTIFY payloads for the bridge alone, by a line on a control connection for the peers, or by a
// POST for nchan. Never waits for an answer.
#pragma once

#include "client/poller.hpp"

#include <memory>
#include <string>

namespace bench {

class Trigger {
public:
    virtual ~Trigger() = default;
    // `payload` is the event's JSON object.
    virtual void publish(const std::string &room, const std::string &payload) = 0;
    // Hands over what publish() gathered since the last flush.
    virtual void flush() = 0;
    // The sender's own trouble, empty when there is none.
    virtual std::string error() const = 0;
};

// "pg:<conninfo>"; "notify:<port>" sends NOTIFY payloads to 127.0.0.1:<port>, each ended by NUL; "tcp:<port>" lines of room, tab and
// payload; "post:<port>" posts the payload to /pub?id=<room>.
std::unique_ptr<Trigger> make_trigger(const std::string &where, const std::string &event, Poller &poller);

}  // namespace bench
