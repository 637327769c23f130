// Epochs: the identity of a run of positions, new with every start of the server. Runs under the dispatch lock.
#pragma once

#include <cstdint>
#include <string>

namespace pulse::dispatch {

struct Epoch {
    std::string epoch;    // 16 hex digits
    std::string channel;  // pulse_ and 32 hex digits: where bridges listen
};

// The running epoch. Opens one when none was opened since the server started, was promoted, or the extension created;
// its positions follow last_position. Without shared memory: the newest one there is. May throw pg::Error.
const Epoch &current_epoch(std::int64_t last_position);

void init_epoch();  // once a process, from _PG_init

}  // namespace pulse::dispatch
