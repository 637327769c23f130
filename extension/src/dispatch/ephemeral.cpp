#include "dispatch/ephemeral.hpp"

#include "ephemeral/memory.hpp"

namespace pulse::dispatch {

// Of one transaction. NOTIFY's lock is the whole cluster's, so none shall be long.
static constexpr std::size_t kMostEvents = 5000, kMostBytes = std::size_t{1} << 20;
// Nobody wants to know who was typing before the dispatcher came back.
static constexpr std::int64_t kTooOld = 10'000'000;  // µs
// Copied at once under the lock, which publishers wait for.
static constexpr std::size_t kSlice = 32;

void EphemeralEvents::start() {
    ephemeral::Locked memory;
    auto &queue = memory.ring.queue(memory.mine);
    queue.dropped += std::exchange(queue.in_flight, 0);
}

void EphemeralEvents::take() {
    lines_.clear();
    more_ = true;
    std::size_t bytes = 0;
    std::uint64_t released = 0;
    const std::int64_t now = ephemeral::now();
    while (more_ && lines_.size() < kMostEvents && bytes < kMostBytes) {
        ephemeral::Locked memory;
        if (lines_.empty()) released |= memory.throttles.release(now) & ~(std::uint64_t{1} << memory.mine);
        auto &queue = memory.ring.queue(memory.mine);
        for (std::size_t i = 0; i < kSlice; ++i) {
            std::string line;
            std::int64_t at = 0;
            more_ = memory.ring.pop(memory.mine, line, at);
            if (!more_) break;
            if (now - at > kTooOld) {
                ++queue.dropped;
                continue;
            }
            ++queue.in_flight;
            bytes += line.size();
            lines_.push_back(std::move(line));
        }
    }
    ephemeral::wake_dispatchers(released);
}

void EphemeralEvents::send(BridgeAnnouncer &announcer) {
    if (lines_.empty()) return;
    std::uint64_t sequence = 0, dropped = 0;
    const bool room = announcer.takes_ephemeral();
    {
        ephemeral::Locked memory;
        auto &queue = memory.ring.queue(memory.mine);
        if (!room) {
            queue.dropped += lines_.size();
            queue.in_flight = 0;
            lines_.clear();
            return;
        }
        sequence = queue.sequence;
        queue.sequence += lines_.size();  // no less than there will be notifications
        dropped = queue.dropped;
    }
    announcer.announce_ephemeral(lines_, sequence, dropped);
}

void EphemeralEvents::sent() {
    if (lines_.empty()) return;
    ephemeral::Locked memory;
    auto &queue = memory.ring.queue(memory.mine);
    queue.sent += lines_.size();
    queue.in_flight = 0;
    lines_.clear();
}

std::optional<long> EphemeralEvents::due() const {
    const ephemeral::Locked memory;
    const auto at = memory.throttles.next_due();
    if (!at) return std::nullopt;
    return static_cast<long>(std::max<std::int64_t>((*at - ephemeral::now() + 999) / 1000, 0));
}

}  // namespace pulse::dispatch
