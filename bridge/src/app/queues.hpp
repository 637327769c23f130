// The queue's numbers among the bridge's metrics: what the database says of each queue, asked every few seconds.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/metrics.hpp"

namespace bridge::app {

class Queues {
public:
    explicit Queues(Metrics &metrics) : metrics_(metrics) {}

    // pulse.queue_depths(), a JSON array. A queue that is not in it has no jobs any more.
    void show(std::string_view answer);

private:
    Metrics &metrics_;
    std::set<std::string> known_;
};

}  // namespace bridge::app
