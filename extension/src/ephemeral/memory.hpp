// The shared memory of ephemeral events: ring, throttles and sampler, carved from pulse.ephemeral_memory. Lost with the server, as they
// are.
#pragma once

#include <optional>
#include <string_view>

#include "ephemeral/ring.hpp"
#include "ephemeral/sampler.hpp"
#include "ephemeral/throttle.hpp"
#include "pg/guard.hpp"

namespace pulse::ephemeral {

void request_memory();  // from _PG_init while preloading: installs the shmem hooks

// Microseconds of a clock that only goes forward, the same for all processes.
std::int64_t now();

// Of what is said about this database alone.
Key key_of(std::string_view text);

// Holds the lock of ring and throttles. Only where is_there() was true; nothing that may ereport while it lives.
class Locked {
public:
    Locked();
    ~Locked();
    Locked(const Locked &) = delete;
    Locked &operator=(const Locked &) = delete;

    Index mine;  // queue of this database
    Ring ring;
    Throttles throttles;
};

// Is there memory for this database? Not when pulse is not preloaded, and not for more databases than have an entry.
bool is_there();
// Raises when there is none, with what to do. `what` cannot be done.
void require_memory(const char *what);

// Those of these databases (a bit each, by queue) have something to take.
void wake_dispatchers(std::uint64_t queues);

bool take_sample(const Key &key, std::uint64_t every);

}  // namespace pulse::ephemeral
