// Notifications, wake-ups and the watch over the NOTIFY queue.
#include "dispatch/announcer.hpp"

#include "guc.hpp"
#include "pg/guard.hpp"
#include "pg/shmem.hpp"

#include <algorithm>
#include <iterator>

namespace pulse::dispatch {

// At most ten wake-ups a second.
static constexpr long kWakeUpInterval = 100;
// More events than this in one tick are a backlog: bridges read them in pages, at their own speed.
static constexpr std::int64_t kMostLines = 5000;
// Legacy notifications are given up when the queue is this full, whatever pulse.notify_queue_threshold says.
static constexpr double kQueueReserve = 0.9;
static constexpr long kQueueCheckInterval = 50;

static double queue_usage() {
    return pg::call([] { return DatumGetFloat8(DirectFunctionCall1(pg_notification_queue_usage, Datum(0))); });
}

static void notify(const std::string &channel, const std::string &payload) {
    pg::call([&] { Async_Notify(channel.c_str(), payload.c_str()); });
}

static void count(pg_atomic_uint64 pg::DatabaseEntry::*counter, std::size_t n) {
    if (pg::DatabaseEntry *entry = pg::my_database()) pg_atomic_fetch_add_u64(&(entry->*counter), static_cast<int64>(n));
}

void send_legacy(const std::vector<Notification> &legacy) {
    if (legacy.empty()) return;
    if (queue_usage() > kQueueReserve) {
        count(&pg::DatabaseEntry::legacy_dropped, legacy.size());
        pg::call([&] {
            ereport(WARNING, (errmsg("%zu legacy notifications dropped: the NOTIFY queue is almost full", legacy.size()),
                              errhint("Look for a session that listens and stays in one transaction.")));
        });
        return;
    }
    for (const Notification &notification : legacy) notify(notification.channel, notification.payload);
}

void BridgeAnnouncer::start(const Epoch &epoch, std::int64_t head) {
    epoch_ = epoch;
    told_ = head > 0 ? head - 1 : 0;
    owed_ = head;
}

bool BridgeAnnouncer::queue_is_low() {
    const TimestampTz now = GetCurrentTimestamp();
    if (TimestampDifferenceExceeds(queue_checked_, now, kQueueCheckInterval)) {
        queue_checked_ = now;
        queue_low_ = queue_usage() <= guc::notify_queue_threshold;
    }
    return queue_low_;
}

bool BridgeAnnouncer::wants_lines(std::int64_t events, bool backlog) {
    if (backlog || events > kMostLines || !queue_is_low()) return false;
    const auto due = wake_up_due();
    return !due || *due == 0;  // an owed wake-up comes before the lines that follow it
}

void BridgeAnnouncer::owe(std::int64_t last) { owed_ = std::max(owed_, last); }

void BridgeAnnouncer::announce(const Epoch &epoch, std::int64_t first, std::int64_t last, bool with_lines,
                               const std::vector<EventLine> &lines, std::vector<Notification> &legacy) {
    epoch_ = epoch;
    owe(first - 1);
    if (with_lines) {
        if (owed_ > told_) send_wake_up();
        std::vector<Notification> notifications;
        Packer packer(epoch_.epoch, epoch_.channel, first, sequence_, notifications);
        for (const EventLine &line : lines) packer.add(line);
        packer.finish(last);
        for (Notification &notification : notifications) notify_bridges(std::move(notification.payload));
        count(&pg::DatabaseEntry::notifications, notifications.size());
        told_ = owed_ = last;
    } else {
        owe(last);
        if (wake_up_due() == 0) send_wake_up();
    }
    if (deferred_)
        std::move(legacy.begin(), legacy.end(), std::back_inserter(legacy_outbox_));
    else
        send_legacy(legacy);
}

void BridgeAnnouncer::announce_ephemeral(const std::vector<std::string> &lines, std::uint64_t &sequence, std::uint64_t dropped) {
    for (std::string &payload : pack_ephemeral(epoch_.epoch, lines, sequence, dropped)) {
        notify_bridges(std::move(payload));
        count(&pg::DatabaseEntry::notifications, 1);
    }
}

void BridgeAnnouncer::notify_bridges(std::string payload) {
    if (deferred_)
        outbox_.push_back({epoch_.channel, std::move(payload)});
    else
        notify(epoch_.channel, payload);
}

void BridgeAnnouncer::send_deferred() {
    deferred_ = false;
    for (const Notification &notification : outbox_) notify(notification.channel, notification.payload);
    send_legacy(legacy_outbox_);
    outbox_.clear();
    legacy_outbox_.clear();
}

void BridgeAnnouncer::observe(std::int64_t head) { owe(head); }

std::optional<long> BridgeAnnouncer::wake_up_due() const {
    if (owed_ <= told_) return std::nullopt;
    const long passed = TimestampDifferenceMilliseconds(last_wake_up_, GetCurrentTimestamp());
    return std::max(0L, kWakeUpInterval - passed);
}

void BridgeAnnouncer::send_wake_up() {
    // The queue's reserve is kept by these too: a wake-up that waits covers more positions.
    last_wake_up_ = GetCurrentTimestamp();
    if (queue_usage() > kQueueReserve) return;
    notify_bridges(header_line(epoch_.epoch, told_ + 1, owed_, ++sequence_));
    told_ = owed_;
    count(&pg::DatabaseEntry::wakeups, 1);
}

}  // namespace pulse::dispatch
