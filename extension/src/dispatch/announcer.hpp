// How the dispatcher's ticks are announced: lines for bridges, or wake-ups at most ten a second; legacy channels.
// Never fills the NOTIFY queue, which belongs to the whole cluster, and never waits for it.
#pragma once

#include "dispatch/tick.hpp"
#include "pg/pg.hpp"

namespace pulse::dispatch {

// Sends legacy notifications, as far as the queue has room; the rest is dropped and counted (a channel promises
// "at most once"; the event itself is safe). Inside a transaction.
void send_legacy(const std::vector<Notification> &legacy);

// For _pulse.tick(): bridges drop what is not from the dispatcher, so they are told nothing; it wakes the dispatcher, who does.
class SqlAnnouncer final : public Announcer {
public:
    bool wants_lines(std::int64_t, bool) override { return false; }
    void announce(const Epoch &, std::int64_t, std::int64_t, bool, const std::vector<EventLine> &,
                  std::vector<Notification> &legacy) override {
        send_legacy(legacy);
    }
};

class BridgeAnnouncer final : public Announcer {
public:
    // Everything up to head is dispatched; bridges get a wake-up for it, which also shows them this process's pid.
    void start(const Epoch &epoch, std::int64_t head);

    bool wants_lines(std::int64_t events, bool backlog) override;
    void announce(const Epoch &epoch, std::int64_t first, std::int64_t last, bool with_lines, const std::vector<EventLine> &lines,
                  std::vector<Notification> &legacy) override;

    // Whether the NOTIFY queue has room for events that nobody can read again. False: they are dropped.
    bool takes_ephemeral() { return queue_is_low(); }
    // Inside the transaction, after the tick: behind the durable events that were committed with them.
    void announce_ephemeral(const std::vector<std::string> &lines, std::uint64_t &sequence, std::uint64_t dropped);

    // Somebody else may have ticked: positions up to head are owed to the bridges.
    void observe(std::int64_t head);
    // Milliseconds until an owed wake-up may be sent; nullopt when none is owed.
    std::optional<long> wake_up_due() const;
    void send_wake_up();  // inside a transaction

    // Deferred: what a tick has to say is kept and sent by send_deferred(), in another transaction.
    void defer(bool deferred) { deferred_ = deferred; }
    bool has_deferred() const { return !outbox_.empty() || !legacy_outbox_.empty(); }
    void send_deferred();

private:
    bool queue_is_low();
    void owe(std::int64_t last);
    void notify_bridges(std::string payload);

    Epoch epoch_;
    bool deferred_ = false;
    std::vector<Notification> outbox_, legacy_outbox_;
    std::uint64_t sequence_ = 0;
    std::int64_t told_ = 0;  // last position that bridges were told of
    std::int64_t owed_ = 0;  // > told_: a wake-up is owed up to here
    TimestampTz last_wake_up_ = 0;
    TimestampTz queue_checked_ = 0;
    bool queue_low_ = true;
};

}  // namespace pulse::dispatch
