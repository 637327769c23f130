// How the load client makes a server send one message to everybody: by pulse.publish over libpq (each call its own
// transaction, pipelined), or by a line on a control connection for the two peers. Never waits for an answer.
#pragma once

#include "client/poller.hpp"

#include <memory>
#include <string>

namespace bench {

class Trigger {
public:
    virtual ~Trigger() = default;
    // `payload` is the event's JSON object.
    virtual void publish(const std::string &payload) = 0;
    // Hands over what publish() gathered since the last flush.
    virtual void flush() = 0;
    // The sender's own trouble, empty when there is none.
    virtual std::string error() const = 0;
};

// "pg:<conninfo>" publishes `event` to `room`; "tcp:<port>" writes lines to 127.0.0.1:<port>.
std::unique_ptr<Trigger> make_trigger(const std::string &where, const std::string &room, const std::string &event, Poller &poller);

}  // namespace bench
