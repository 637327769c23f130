// The frame of a background worker that belongs to one database: signals, its place in shared memory, the connection,
// short transactions, and waiting. An ERROR ends the process; the launcher starts it again; all state is in tables.
// Never polls: wait() sleeps until the latch, a deadline, or the end of the server.
#pragma once

#include "pg/guard.hpp"
#include "pg/shmem.hpp"

namespace pulse::pg {

// Registers a dynamic worker of a database; false when the server has no free place. From the launcher.
bool start_worker(WorkerRole role, int number, Oid database, const char *database_name);
// A worker's main is given its database and its number.
inline Oid worker_database(Datum argument) { return static_cast<Oid>(DatumGetUInt64(argument) & 0xFFFFFFFF); }
inline int worker_number(Datum argument) { return static_cast<int>(DatumGetUInt64(argument) >> 32); }

// First call of a worker's main: claims the entry (ends the process quietly when DDL holds the database or another
// process has the place), connects, and sets what must not depend on the DBA's defaults.
DatabaseEntry *begin_worker(WorkerRole role, Oid database, int number = 0);

// Signals of a worker without a database (the launcher).
void begin_signals();

// Sleeps until the latch is set, at most timeout_ms (negative: no limit). Serves interrupts, barriers and SIGHUP.
// True when the latch was set.
bool wait(long timeout_ms);
// What wait() does beside sleeping: for loops that have work to do.
void serve_interrupts();

// To be called first in a worker's transaction: InvalidOid when the extension is not (any longer) there, or not in the library's
// version; to a worker one that was created again is another, of which it knows nothing. Takes the lock that DROP EXTENSION takes first, so
// that the two wait for each other and never deadlock over the tables.
Oid lock_extension();

// Ends this process without complaint, to be started again or not as the launcher decides.
[[noreturn]] void end_worker();
// The same when lock_extension() found nothing: it is not started again before somebody creates or updates the extension.
[[noreturn]] void end_without_extension();
// Whether another worker of this database has ended so: the launcher wakes those who wait for work.
bool extension_is_gone();

// Runs f in a transaction of its own. An Error leaves it to the end of the process.
template <class F>
void transaction(F &&f) {
    call([] {
        SetCurrentStatementStartTimestamp();
        StartTransactionCommand();
    });
    f();
    call([] { CommitTransactionCommand(); });
}

// The same for work on the extension's tables: with lock_extension(), and a snapshot. False: it is gone, and f was not run.
template <class F>
[[nodiscard]] bool extension_transaction(F &&f) {
    bool there = false;
    transaction([&] {
        there = OidIsValid(lock_extension());
        if (!there) return;
        call([] { PushActiveSnapshot(GetTransactionSnapshot()); });
        f();
        call([] { PopActiveSnapshot(); });
    });
    return there;
}

}  // namespace pulse::pg
