// What pulse keeps in shared memory: one entry a database. Nothing here may be lost for good: all truth is in tables.
// shared() is null when pulse is not in shared_preload_libraries.
#pragma once

#include "pg/pg.hpp"

namespace pulse::pg {

constexpr int kMaxDatabases = 64;
constexpr uint32 kSlotUnknown = 0xFFFFFFFF;  // not read from the table yet
constexpr uint64 kFloorUnknown = 0;

// The workers of a database. Of all but kJobs there is one; of these pulse.job_workers, counted from 0.
enum class WorkerRole : int { kDispatcher = 0, kForeman = 1, kHttp = 2, kJobs = 3 };
constexpr int kMostJobWorkers = 16;
constexpr int kProcesses = static_cast<int>(WorkerRole::kJobs) + kMostJobWorkers;

struct Process {
    pid_t pid;        // 0: it does not run
    Latch *latch;     // its process latch; the memory outlives the process
    unsigned starts;  // how often it came up
};

// Fields without "atomic" are written under Shared::lock.
struct DatabaseEntry {
    Oid database;  // InvalidOid: this entry is free
    Process processes[kProcesses];

    Process &process(WorkerRole role, int number = 0) { return processes[static_cast<int>(role) + number]; }
    const Process &process(WorkerRole role, int number = 0) const { return processes[static_cast<int>(role) + number]; }
    bool has_processes() const {
        for (const Process &process : processes)
            if (process.pid != 0) return true;
        return false;
    }
    bool epoch_open;  // an epoch was opened since this shared memory was made
    char epoch[17];
    char retention_waits[128];           // what keeps an old slot from being emptied; empty when nothing does
    int held;                            // > 0 while DDL needs the database without our workers
    int failed_ticks;                    // dispatcher processes in a row that ended in a failed tick
    bool no_extension;                   // the last worker found none it could serve; cleared by CREATE and ALTER EXTENSION
    pg_atomic_uint32 extension_changes;  // how often CREATE, DROP or ALTER EXTENSION was committed here
    bool http_wanted;                    // there are jobs for the HTTP worker
    pg_atomic_uint32 dispatcher_work;    // set by every commit with events, cleared before a tick's snapshot
    pg_atomic_uint32 jobs_untold;        // there may be jobs that nobody has told the foreman of
    pg_atomic_uint32 dispatcher_idle;    // 1 while the dispatcher sleeps until its latch is set
    pg_atomic_uint32 leases_due;         // a bridge's report found more leases over than it may end
    pg_atomic_uint64 last_tick_at;       // TimestampTz of the last tick, with or without events
    pg_atomic_uint64 backlog;            // events of a cut backlog that wait for their chunk
    pg_atomic_uint64 head;               // last position dispatched
    pg_atomic_uint32 slot;               // partition for new rows, or kSlotUnknown
    pg_atomic_uint64 floor;              // lowest position that may be read, or kFloorUnknown
    pg_atomic_uint64 dispatched_events;  // counters since start
    pg_atomic_uint64 ticks;
    pg_atomic_uint64 notifications;
    pg_atomic_uint64 wakeups;
    pg_atomic_uint64 quarantined;
    pg_atomic_uint64 legacy_dropped;  // legacy notifications that the NOTIFY queue had no room for
    pg_atomic_uint64 skipped_rooms;   // a template's value was NULL
    pg_atomic_uint64 warned_events;   // on_error 'warn' swallowed a failure
    pg_atomic_uint64 policy_errors;
    pg_atomic_uint64 rate_limited;  // takes refused
    pg_atomic_uint64 limits_full;   // of those: because the table of buckets was full
    pg_atomic_uint64 jobs_done;
    pg_atomic_uint64 jobs_failed;
};

struct Shared {
    LWLock *lock;
    pid_t launcher_pid;
    Latch *launcher_latch;
    bool short_of_workers;  // max_worker_processes left no room for one of ours
    DatabaseEntry databases[kMaxDatabases];
};

void request_shmem();  // from _PG_init while preloading: installs the shmem hooks
Shared *shared();
// The entry of this backend's database, made on first use; null when not preloaded or all entries are taken.
DatabaseEntry *my_database();
// Whether this server has opened its epoch; also when nobody will, since pulse is not preloaded.
bool epoch_is_open();
DatabaseEntry *find_database(Oid database);     // null when there is none; caller holds the lock
DatabaseEntry *ensure_database(Oid database);   // made when there is none; null when all are taken; caller holds the lock
void wake(Latch *latch);                        // SetLatch that takes null
void wake_dispatcher(DatabaseEntry *database);  // there may be something to dispatch

}  // namespace pulse::pg
