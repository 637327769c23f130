#include "app/drain.hpp"

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <utility>

#include "base/log.hpp"
#include "handlers/client.hpp"

namespace bridge::app {

namespace {

constexpr auto kLook = std::chrono::milliseconds(20);
constexpr auto kGoodbye = std::chrono::milliseconds(500);  // for the close frames after the drain's time is over

std::uint64_t seed_of(Rng &rng) {
    std::uint64_t seed = 0;
    rng.fill(std::as_writable_bytes(std::span(&seed, 1)));
    return seed;
}

}  // namespace

Drain::Drain(loop::Loop &loop, handlers::Services &services, Options options, std::function<bool()> served, std::function<void()> done)
    : services_(services), options_(options), served_(std::move(served)), done_(std::move(done)), timer_(loop.timer()) {}

void Drain::start() {
    started_ = true;
    begun_ = std::chrono::steady_clock::now();
    services_.hub.each_connection([this](ConnectionId id) { order_.push_back(id); });
    std::shuffle(order_.begin(), order_.end(), std::mt19937_64(seed_of(services_.rng)));
    plan_ = DrainPlan(order_.size(), options_.per_second, options_.timeout);
    timer_->every(kLook, [this] { look(); });
    look();
}

void Drain::look() {
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun_);
    for (const std::size_t until = plan_.told_by(elapsed); told_ < until; ++told_) tell(order_[told_]);
    if (told_ == order_.size()) tell_all(false);  // also who was just coming in when it began

    handlers::Bookkeeper &bookkeeper = services_.bookkeeper;
    const bool served = served_();
    const bool gone = served && services_.hub.connections() == 0 && services_.remains.empty() && bookkeeper.stored(bookkeeper.last());
    if (gone || elapsed >= options_.timeout + kGoodbye) {
        timer_->stop();
        return done_();
    }
    if (elapsed >= options_.timeout && !forced_) {
        forced_ = true;
        log::warn("the drain's time is over", {{"connections", services_.hub.connections()}, {"requests", !served}});
        tell_all(true);
    }
}

void Drain::tell(ConnectionId id) {
    if (handlers::Client *client = services_.clients.find(id)) return client->drain();
    services_.hub.close(id, Errc::shutting_down);  // streams and polls have nothing under way
}

// at_once: whatever they have under way.
void Drain::tell_all(bool at_once) {
    services_.hub.each_connection([&](ConnectionId id) {
        if (at_once) return services_.hub.close(id, Errc::shutting_down);
        tell(id);
    });
}

}  // namespace bridge::app
