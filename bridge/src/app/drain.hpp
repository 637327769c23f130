// The end of a bridge: nobody new comes in, and everybody who is here is told to come back elsewhere, in random order and not all in
// one moment. What a client has under way is answered before it is told. Started once, by App.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "app/drain_plan.hpp"
#include "handlers/services.hpp"
#include "loop/loop.hpp"

namespace bridge::app {

class Drain {
public:
    struct Options {
        std::chrono::milliseconds timeout;
        std::uint32_t per_second;
    };

    // `served`, asked at each look: has everybody his answer? `done`: nobody is left, or their time is over. Called once.
    Drain(loop::Loop &loop, handlers::Services &services, Options options, std::function<bool()> served, std::function<void()> done);

    void start();
    bool started() const { return started_; }

private:
    void look();
    void tell(ConnectionId id);
    void tell_all(bool at_once);

    handlers::Services &services_;
    const Options options_;
    const std::function<bool()> served_;
    const std::function<void()> done_;
    std::unique_ptr<loop::Timer> timer_;
    bool started_ = false, forced_ = false;
    std::chrono::steady_clock::time_point begun_{};
    DrainPlan plan_{0, 1, {}};
    std::vector<ConnectionId> order_;
    std::size_t told_ = 0;
};

}  // namespace bridge::app
