// Shared memory: reservation at start, and the entry of a database.
#include "pg/shmem.hpp"

#include <cstring>

namespace pulse::pg {

static Shared *shared_memory = nullptr;
static DatabaseEntry *my_entry = nullptr;
static shmem_request_hook_type previous_request = nullptr;
static shmem_startup_hook_type previous_startup = nullptr;

static void on_request() {
    if (previous_request != nullptr) previous_request();
    RequestAddinShmemSpace(MAXALIGN(sizeof(Shared)));
    RequestNamedLWLockTranche("pulse", 1);
}

static void init_entry(DatabaseEntry *entry, Oid database) {
    std::memset(static_cast<void *>(entry), 0, sizeof *entry);
    entry->database = database;
    pg_atomic_init_u64(&entry->head, 0);
    pg_atomic_init_u32(&entry->slot, kSlotUnknown);
    pg_atomic_init_u64(&entry->floor, kFloorUnknown);
    pg_atomic_init_u32(&entry->extension_changes, 0);
    pg_atomic_init_u32(&entry->dispatcher_work, 0);
    pg_atomic_init_u32(&entry->jobs_untold, 0);
    pg_atomic_init_u32(&entry->dispatcher_idle, 0);
    pg_atomic_init_u32(&entry->leases_due, 0);
    for (pg_atomic_uint64 *counter :
         {&entry->dispatched_events, &entry->ticks, &entry->notifications, &entry->wakeups, &entry->quarantined, &entry->legacy_dropped,
          &entry->last_tick_at, &entry->backlog, &entry->skipped_rooms, &entry->warned_events, &entry->policy_errors, &entry->rate_limited,
          &entry->limits_full, &entry->jobs_done, &entry->jobs_failed})
        pg_atomic_init_u64(counter, 0);
}

static void on_startup() {
    if (previous_startup != nullptr) previous_startup();
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    shared_memory = static_cast<Shared *>(ShmemInitStruct("pulse", sizeof(Shared), &found));
    if (!found) {
        shared_memory->lock = &GetNamedLWLockTranche("pulse")->lock;
        shared_memory->launcher_pid = 0;
        shared_memory->launcher_latch = nullptr;
        shared_memory->short_of_workers = false;
        for (DatabaseEntry &entry : shared_memory->databases) init_entry(&entry, InvalidOid);
    }
    LWLockRelease(AddinShmemInitLock);
}

void request_shmem() {
    previous_request = shmem_request_hook;
    shmem_request_hook = on_request;
    previous_startup = shmem_startup_hook;
    shmem_startup_hook = on_startup;
}

Shared *shared() { return shared_memory; }

DatabaseEntry *find_database(Oid database) {
    for (DatabaseEntry &entry : shared_memory->databases)
        if (entry.database == database) return &entry;
    return nullptr;
}

DatabaseEntry *ensure_database(Oid database) {
    DatabaseEntry *entry = find_database(database);
    if (entry == nullptr) {
        entry = find_database(InvalidOid);
        if (entry != nullptr) init_entry(entry, database);
    }
    return entry;
}

DatabaseEntry *my_database() {
    if (my_entry != nullptr || shared_memory == nullptr || !OidIsValid(MyDatabaseId)) return my_entry;
    LWLockAcquire(shared_memory->lock, LW_EXCLUSIVE);
    my_entry = ensure_database(MyDatabaseId);
    LWLockRelease(shared_memory->lock);
    return my_entry;
}

bool epoch_is_open() {
    const DatabaseEntry *entry = my_database();
    if (entry == nullptr) return true;
    LWLockAcquire(shared_memory->lock, LW_SHARED);
    const bool open = entry->epoch_open;
    LWLockRelease(shared_memory->lock);
    return open;
}

void wake(Latch *latch) {
    if (latch != nullptr) SetLatch(latch);
}

void wake_dispatcher(DatabaseEntry *database) {
    // A dispatcher that is awake clears dispatcher_work before it takes its snapshot, and looks at it again before it
    // sleeps. So a busy one costs its publishers no system call, and is not disturbed while a batch grows.
    pg_memory_barrier();
    if (pg_atomic_read_u32(&database->dispatcher_work) == 0) pg_atomic_write_u32(&database->dispatcher_work, 1);
    pg_memory_barrier();
    if (pg_atomic_read_u32(&database->dispatcher_idle) != 0) wake(database->process(WorkerRole::kDispatcher).latch);
}

}  // namespace pulse::pg
