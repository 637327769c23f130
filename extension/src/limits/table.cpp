// Reserving the table at start, and one take under the lock of its part.
#include "limits/table.hpp"

#include "guc.hpp"
#include "pg/guard.hpp"
#include "pg/shmem.hpp"

namespace pulse::limits {

namespace {

constexpr int kMostParts = 64;
constexpr int kSmallPart = 256;  // a small table has few parts: with few buckets each, some would be full long before the others

struct Table {
    HashKey key;
    LWLockPadded *locks;
    uint32 parts;  // a power of two
    Size part_size;
};

Table *table = nullptr;
shmem_request_hook_type previous_request = nullptr;
shmem_startup_hook_type previous_startup = nullptr;

uint32 parts() {
    uint32 count = 1;
    while (count < kMostParts && guc::limit_buckets / static_cast<int>(count) >= 2 * kSmallPart) count *= 2;
    return count;
}
uint32 part_capacity() { return (static_cast<uint32>(guc::limit_buckets) + parts() - 1) / parts(); }
Size part_size() { return CACHELINEALIGN(Buckets::size(part_capacity())); }
Size table_size() { return add_size(CACHELINEALIGN(sizeof(Table)), mul_size(parts(), part_size())); }

Buckets *part(uint32 n) {
    return reinterpret_cast<Buckets *>(reinterpret_cast<char *>(table) + CACHELINEALIGN(sizeof(Table)) + n * table->part_size);
}

void on_request() {
    if (previous_request != nullptr) previous_request();
    RequestAddinShmemSpace(table_size());
    RequestNamedLWLockTranche("pulse_limits", static_cast<int>(parts()));
}

void on_startup() {
    if (previous_startup != nullptr) previous_startup();
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    table = static_cast<Table *>(ShmemInitStruct("pulse limits", table_size(), &found));
    if (!found) {
        if (!pg_strong_random(&table->key, sizeof table->key))
            ereport(FATAL, (errmsg("pulse: no random numbers for the table of rate limits")));
        table->locks = GetNamedLWLockTranche("pulse_limits");
        table->parts = parts();
        table->part_size = part_size();
        for (uint32 n = 0; n < table->parts; ++n) Buckets::make(part(n), part_capacity());
    }
    LWLockRelease(AddinShmemInitLock);
}

// Of all processes the same, and unmoved when somebody sets the clock.
int64 now() { return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void count(const Taken &taken) {
    auto *entry = pg::my_database();
    if (entry == nullptr) return;
    if (taken.result != Taken::Result::kTaken) pg_atomic_fetch_add_u64(&entry->rate_limited, 1);
    if (taken.result == Taken::Result::kNoRoom) pg_atomic_fetch_add_u64(&entry->limits_full, 1);
}

}  // namespace

void init_table() {
    previous_request = shmem_request_hook;
    shmem_request_hook = on_request;
    previous_startup = shmem_startup_hook;
    shmem_startup_hook = on_startup;
}

Taken take(std::string_view limit_class, std::string_view subject, const Rate &rate, int64 points) {
    if (table == nullptr)
        pg::fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "rate limits need shared memory", {},
                 "Add pulse to shared_preload_libraries and restart PostgreSQL.");
    static std::string name;  // keeps its memory
    name.assign(reinterpret_cast<const char *>(&MyDatabaseId), sizeof MyDatabaseId);
    name.append(limit_class).append(1, '\0').append(subject);
    const Hash who = siphash(table->key, name);
    const uint32 n = static_cast<uint32>(who.low) & (table->parts - 1);
    LWLock *lock = &table->locks[n].lock;
    LWLockAcquire(lock, LW_EXCLUSIVE);
    const Taken taken = part(n)->take(who, now(), rate, points);
    LWLockRelease(lock);
    if (taken.result != Taken::Result::kTaken) count(taken);
    return taken;
}

}  // namespace pulse::limits
