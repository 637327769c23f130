// Idempotency keys: the first event of a key wins, later ones get its id. The only part of publish that runs SQL, and the only one
// where publishers wait for each other: those of the same key, until the first has committed or rolled back.
#pragma once

#include "pg/guard.hpp"

namespace pulse::publish {

// Takes the key for the event `id`, or returns the id of the event that has it. `events`: a table of the extension's owner.
std::optional<int64> claim_key(std::string_view key, int64 id, Relation events);

}  // namespace pulse::publish
