// Ephemeral events of the transaction under way. At commit they go to the dispatcher by shared memory; a rollback, also to a savepoint,
// forgets them, and PREPARE TRANSACTION drops and counts them. No row, no WAL, no wait for anybody.
#pragma once

#include <optional>
#include <string>

#include "ephemeral/index.hpp"

namespace pulse::ephemeral {

struct Throttle {
    Key key;
    std::int64_t interval;  // µs
};

// record: what notify.md calls a line of an ephemeral notification, at most kMaxRecord bytes. Only where is_there().
void add(std::string record, const std::optional<Throttle> &throttle);

void init_outbox();  // once a process, from _PG_init

}  // namespace pulse::ephemeral
