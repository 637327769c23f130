// Messages to many rooms at a rate that does not wait for anybody (open loop), and how long each delivery took from the moment its
// message was due. Called by the load client's `rate` command.
#pragma once

#include "client/fleet.hpp"
#include "client/trigger.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <sys/types.h>
#include <vector>

namespace bench {

struct PaceOptions {
    std::string room;   // rooms are this name with 0 … rooms-1 behind it
    size_t size = 300;  // of a message's frame, about
    std::vector<pid_t> server, behind;
    size_t a_second = 0, seconds = 0, rooms = 0;
    int patience_s = 5;  // for what is still under way at the end
};

// `seq` is the next sequence number; advanced by the number of messages.
nlohmann::json run_pace(Poller &poller, Fleet &fleet, Trigger &trigger, const PaceOptions &options, int64_t &seq);

}  // namespace bench
