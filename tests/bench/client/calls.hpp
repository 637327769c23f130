// Events with an ack, and how long each ack took: in a closed loop (so many under way on each connection, the next one when one is
// answered) or at a rate that waits for nobody. Every ack is compared with what it must be. Called by the load client's `call` and
// `callrate` commands; Socket.IO only.
#pragma once

#include "client/fleet.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <sys/types.h>
#include <vector>

namespace bench {

struct CallOptions {
    std::string event;   // JSON array of the event's name and arguments; {n} is the call's number, {i} the socket's
    std::string answer;  // JSON array of the ack's arguments, without white space; {n} and {i} as above
    std::vector<pid_t> server, behind;
    size_t in_flight = 0;  // on each connection; 0: `a_second` counts
    size_t a_second = 0;   // over all connections, in turn
    size_t seconds = 0;
    int patience_s = 10;  // for what is still under way at the end
};

// `number` is the next call's; advanced by the number of calls.
nlohmann::json run_calls(Poller &poller, Fleet &fleet, const CallOptions &options, int64_t &number);

}  // namespace bench
