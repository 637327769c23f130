// A recovery storm: sockets that were cut come back within a few seconds, each with its session's pid and offset, and get what they
// missed. Called by the load client's `return` command.
#pragma once

#include "client/fleet.hpp"

#include <nlohmann/json.hpp>
#include <sys/types.h>

namespace bench {

struct StormOptions {
    double within_s = 5;  // from the first connect to the last
    int port = 0;
    int64_t last = 0;  // the sequence number that each socket must reach
    pid_t server = 0;  // whose CPU and memory are noted
    int timeout_s = 120;
};

nlohmann::json run_storm(Poller &poller, Fleet &fleet, const StormOptions &options);

}  // namespace bench
