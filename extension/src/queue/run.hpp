// Runs a job's function as the role that enqueued it, in a subtransaction, with its time limit. User code runs nowhere
// else in a worker, and never as anybody but that role. Inside the caller's transaction. May throw pg::Error when the
// worker itself is to end.
#pragma once

#include "pg/spi.hpp"
#include "queue/attempt.hpp"

namespace pulse::queue {

// nullopt: it succeeded; else what its last_error will say, and nothing of what it did is left.
std::optional<std::string> run(const Attempt &job);
}  // namespace pulse::queue
