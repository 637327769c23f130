// Reads the jobs that a worker is to work on.
#pragma once

#include "pg/spi.hpp"
#include "queue/attempt.hpp"

#include <span>

namespace pulse::queue {

// In the order of ids; without those whose attempt is no longer executing. Call as the owner or in a worker, inside a transaction and an
// SPI session. May throw pg::Error.
std::vector<Attempt> load(std::span<const AttemptId> ids, std::string_view worker);

}  // namespace pulse::queue
