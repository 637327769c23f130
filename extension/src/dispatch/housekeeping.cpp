// The tasks, and how one is kept from doing harm.
#include "dispatch/housekeeping.hpp"

#include "dispatch/progress.hpp"
#include "dispatch/retention.hpp"
#include "guc.hpp"
#include "pg/run_as.hpp"

#include <algorithm>

namespace pulse::dispatch {

static constexpr int32 kBatch = 1000;
static constexpr int32 kLeases = 100;  // each may be an event, and dispatching waits meanwhile

// How many were deleted. Publishers that hold a key's row are not waited for.
static uint64 delete_old_keys() {
    static pg::Plan plan("DELETE FROM _pulse.idempotency_keys k WHERE k.key IN (SELECT o.key FROM _pulse.idempotency_keys o "
                         "WHERE o.at < clock_timestamp() - pulse.setting('pulse', 'idempotency_keep')::interval "
                         "ORDER BY o.at LIMIT $1 FOR UPDATE SKIP LOCKED)");
    const pg::SpiSession spi;
    return plan.run({pg::param_int4(kBatch)});
}

// Leases end by the reports of bridges; where they find many, or no bridge is left, by this.
static bool end_leases() {
    static pg::Plan plan("SELECT _pulse.sweep_leases($1)");
    if (!pg::epoch_is_open()) return false;
    const pg::SpiSession spi;
    plan.run({pg::param_int4(kLeases)});
    return pg::result_row().int4(1) >= kLeases;
}

// Runs a task that says whether there is more to do. An error is logged: a DBA's mistake in a setting, or a full disk, is no reason
// to stop dispatching. Neither is a lock that somebody holds: not waited for, and not worth a word.
template <class Task>
static bool run(const char *what, Task &&task) {
    bool more = false;
    (void)pg::extension_transaction([&] {
        const auto error = pg::subtransaction([&] {
            pg::SettingScope settings;
            settings.set("lock_timeout", "1ms");
            more = task();
        });
        if (error && error->sqlstate != ERRCODE_LOCK_NOT_AVAILABLE)
            pg::call([&] { ereport(WARNING, (errcode(error->sqlstate), errmsg("pulse: %s: %s", what, error->message))); });
        if (error) forget_rotation();
    });
    return more;
}

// For pulse.status().
static void note_waiting(std::string_view what) {
    pg::DatabaseEntry *entry = pg::my_database();
    LWLockAcquire(pg::shared()->lock, LW_EXCLUSIVE);
    std::size_t length = std::min(what.size(), sizeof entry->retention_waits - 1);
    while (length < what.size() && length > 0 && (static_cast<unsigned char>(what[length]) & 0xC0) == 0x80) --length;  // no half character
    what.copy(entry->retention_waits, length);
    entry->retention_waits[length] = '\0';
    LWLockRelease(pg::shared()->lock);
}

static bool rotate_by_time() {
    const Rotation rotation = rotate(false);
    if (rotation.done) pg::call([&] { ereport(LOG, (errmsg("pulse: %s", rotation.what.c_str()))); });
    note_waiting(rotation.held ? std::string_view(rotation.what) : std::string_view());
    return rotation.done;
}

bool Housekeeping::run_if_due() {
    const TimestampTz now = GetCurrentTimestamp();
    const bool due = now >= due_;
    leases_due_ |= due || pg_atomic_exchange_u32(&pg::my_database()->leases_due, 0) != 0;
    if (leases_due_) leases_due_ = run("presence stays as it is", end_leases);
    if (!due) return leases_due_;
    due_ = TimestampTzPlusMilliseconds(now, guc::housekeeping_interval);
    const bool keys = run("old idempotency keys stay", [] { return delete_old_keys() == static_cast<uint64>(kBatch); });
    const bool slots = run("old events stay", rotate_by_time);
    if (keys || slots) due_ = now;
    return leases_due_ || keys || slots;
}

}  // namespace pulse::dispatch
