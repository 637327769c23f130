// The dispatcher's share in ephemeral events: takes them out of shared memory, lets throttled ones go when their time has come, and has
// them sent. At most once: what a dispatcher has taken when it ends is lost, and counted by the next one.
#pragma once

#include "dispatch/announcer.hpp"

namespace pulse::dispatch {

class EphemeralEvents {
public:
    void start();
    // What has been committed until now, as much as one transaction shall carry. Before the tick's snapshot: then that sees the durable
    // events of the same transactions.
    void take();
    bool any() const { return !lines_.empty(); }
    std::size_t count() const { return lines_.size(); }
    bool more() const { return more_; }  // take() left some behind

    void send(BridgeAnnouncer &announcer);  // inside the transaction, after the tick
    void sent();                            // it was committed

    // Milliseconds until a throttled event may be sent; nullopt when none waits.
    std::optional<long> due() const;

private:
    std::vector<std::string> lines_;
    bool more_ = false;
};

}  // namespace pulse::dispatch
