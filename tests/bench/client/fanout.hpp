// One measured round: messages go to everybody, `in_flight` of them at a time; a message is done when every socket has
// it. Takes the servers' CPU before and after. Called by the load client's `fanout` command.
#pragma once

#include "client/fleet.hpp"
#include "client/trigger.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <sys/types.h>
#include <vector>

namespace bench {

struct FanoutOptions {
    size_t messages = 20;
    size_t in_flight = 1;
    std::string room;           // where messages go
    size_t size = 300;          // bytes of the frame's text that stock Socket.IO sends, about
    std::vector<pid_t> server;  // whose CPU is counted
    std::vector<pid_t> behind;  // counted apart: what stands behind the server (PostgreSQL)
    int timeout_s = 60;
};

// The event's JSON object with this sequence number, padded to `size` bytes of frame, about.
std::string payload_of(int64_t seq, size_t size);

// `seq` is the next sequence number; advanced by the number of messages.
nlohmann::json run_fanout(Poller &poller, Fleet &fleet, Trigger &trigger, const FanoutOptions &options, int64_t &seq);

}  // namespace bench
