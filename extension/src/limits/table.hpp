// The buckets of all databases in shared memory, exact over all backends and so over all bridges. They outlive every bridge and backend;
// a restart of the server makes them full again. Parts with a lock each, so that takes of different subjects rarely meet.
#pragma once

#include "limits/buckets.hpp"
#include "pg/pg.hpp"

namespace pulse::limits {

void init_table();  // from _PG_init while preloading

// Raises when pulse is not preloaded. `subject` says who, `limit_class` which of its buckets.
Taken take(std::string_view limit_class, std::string_view subject, const Rate &rate, int64 points);

}  // namespace pulse::limits
