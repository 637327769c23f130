// Deleting old idempotency keys.
#include "dispatch/housekeeping.hpp"

#include "dispatch/progress.hpp"

namespace pulse::dispatch {

static constexpr int kInterval = 10 * 1000;
static constexpr int32 kBatch = 1000;

// How many were deleted. Publishers that hold a key's row are not waited for.
static uint64 delete_old_keys() {
    static pg::Plan plan("DELETE FROM _pulse.idempotency_keys k WHERE k.key IN (SELECT o.key FROM _pulse.idempotency_keys o "
                         "WHERE o.at < clock_timestamp() - pulse.setting('pulse', 'idempotency_keep')::interval "
                         "ORDER BY o.at LIMIT $1 FOR UPDATE SKIP LOCKED)");
    return plan.run({pg::param_int4(kBatch)});
}

void Housekeeping::run_if_due() {
    const TimestampTz now = GetCurrentTimestamp();
    if (now < due_) return;
    due_ = TimestampTzPlusMilliseconds(now, kInterval);
    uint64 deleted = 0;
    pg::transaction([&] {
        if (!OidIsValid(pg::lock_extension())) return;
        pg::call([] { PushActiveSnapshot(GetTransactionSnapshot()); });
        // A setting that is no interval is the DBA's mistake and no reason to stop dispatching.
        const auto error = pg::subtransaction([&] {
            const pg::SpiSession spi;
            deleted = delete_old_keys();
        });
        if (error)
            pg::call([&] { ereport(WARNING, (errcode(error->sqlstate), errmsg("pulse: old idempotency keys stay: %s", error->message))); });
        pg::call([] { PopActiveSnapshot(); });
    });
    if (deleted == static_cast<uint64>(kBatch)) due_ = now;
}

}  // namespace pulse::dispatch
