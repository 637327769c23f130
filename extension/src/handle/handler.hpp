// What pulse.on registered for an event. Asked for at each event of a client, so the index is read without SQL; by the statement's
// snapshot, so a registration counts at once.
#pragma once

#include "pg/guard.hpp"

namespace pulse::handle {

struct Handler {
    std::string function;
    std::optional<std::string> key;  // template of the idempotency key
};

// The application's handler wins over a pack's. nullopt: there is none.
std::optional<Handler> find_handler(const std::string &name, const std::string &event);

}  // namespace pulse::handle
