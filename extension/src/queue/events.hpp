// Changes of jobs as events, for queues that are configured so: room queue:{name}, in the transaction of the change.
#pragma once

#include "pg/spi.hpp"

namespace pulse::queue {

// `state` is the job's after the change: "available" → job:enqueued, … see events.cpp. Ask queue_settings(queue).events first. Call as
// the owner or in a worker, inside an SPI session. May throw pg::Error.
void publish_change(std::string_view queue, const char *event, int64 id, std::string_view kind, const char *state, int attempt,
                    std::string_view error = {});

// The same from a process of ours, where an event that cannot be published must not undo the change: it is logged and left out.
void try_publish_change(std::string_view queue, const char *event, int64 id, std::string_view kind, const char *state, int attempt,
                        std::string_view error = {});

}  // namespace pulse::queue
