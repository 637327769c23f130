// How hosts share the places of the HTTP worker, so that one that does not answer cannot hold them all. A host may have another delivery
// under way only while it has fewer than places are free: alone it has half of them, and one that is new finds a place beside several that
// hang. Jobs of a host that has its share are passed by, and looked for from the first of them on when it has room. Pure.
#pragma once

#include "queue/lanes.hpp"

#include <optional>
#include <vector>

namespace pulse::queue {

// Whose share a job counts to: of a webhook its scheme, name and port; of one that its kind's function makes, the kind; else the channel.
// `args`: of webhooks without a function.
std::string host_of(std::string_view channel, std::string_view kind, std::optional<std::string_view> args);

class Hosts {
public:
    // Of one host in one lane. What is behind so many waits with them.
    static constexpr int kMostPassed = 10'000;

    void started(const std::string &host) { ++hosts_[host].running; }
    void ended(const std::string &host);
    // Whether one more of it may begin when so many places are free.
    bool has_room(const std::string &host, int free) const;
    // Whether jobs of it were passed by in this lane.
    bool waits(const std::string &host, const LaneName &lane) const;
    // A job of it is left where it is. False: there are too many already.
    bool pass_by(const std::string &host, const LaneName &lane, const Place &place);

    struct Look {
        std::string host;
        LaneName lane;
        Place from;
    };
    // Where jobs were passed by whose host has room now, in queues that `open` allows: by priority, then the oldest first; at most so many.
    template <class Open>
    std::vector<Look> to_look_at(int free, std::size_t most, Open &&open) const {
        std::vector<Look> looks;
        for (const auto &[name, host] : hosts_) {
            if (host.passed.empty() || host.running >= free) continue;
            for (const auto &[lane, passed] : host.passed)
                if (open(lane.queue)) looks.push_back({name, lane, passed.from});
        }
        std::sort(looks.begin(), looks.end(), [](const Look &left, const Look &right) {
            return std::pair(left.lane.priority, left.from) < std::pair(right.lane.priority, right.from);
        });
        if (looks.size() > most) looks.resize(most);
        return looks;
    }
    // One of those that were passed by has begun.
    void taken(const std::string &host, const LaneName &lane);
    // Nothing of it that was passed by is before this place any more; kNothing: nothing is left.
    void go_on(const std::string &host, const LaneName &lane, const Place &from);
    // All lanes are walked anew.
    void forget_passed();

private:
    struct Passed {
        Place from, last;
        int count;
    };
    struct Host {
        int running = 0;
        std::map<LaneName, Passed> passed;
    };
    Passed *find(const std::string &host, const LaneName &lane);
    void drop_if_idle(const std::string &host);

    std::map<std::string, Host> hosts_;
};

}  // namespace pulse::queue
