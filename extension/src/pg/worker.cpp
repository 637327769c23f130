// Registration, claiming an entry, connection and waiting of the workers of a database.
#include "pg/worker.hpp"

#include "pg/extension.hpp"

#include <cstdio>

namespace pulse::pg {

static DatabaseEntry *my_place = nullptr;
static WorkerRole my_role;
static Oid my_extension = InvalidOid;  // the one that this worker serves
static bool replaced = false;          // another one has come in its place
static uint32 changes_seen = 0;        // of the entry, before the extension was last looked for

static pid_t &pid_of(DatabaseEntry *database, WorkerRole role) {
    return role == WorkerRole::kDispatcher ? database->dispatcher_pid : database->worker_pid;
}

static Latch *&latch_of(DatabaseEntry *database, WorkerRole role) {
    return role == WorkerRole::kDispatcher ? database->dispatcher_latch : database->worker_latch;
}

bool start_worker(WorkerRole role, Oid database, const char *database_name) {
    const bool dispatcher = role == WorkerRole::kDispatcher;
    BackgroundWorker worker = {};
    const char *const type = dispatcher ? "pulse dispatcher" : "pulse worker";
    std::snprintf(worker.bgw_type, BGW_MAXLEN, "%s", type);
    std::snprintf(worker.bgw_name, BGW_MAXLEN, "%s %.*s", type, NAMEDATALEN, database_name);
    std::snprintf(worker.bgw_library_name, BGW_MAXLEN, "pulse");
    std::snprintf(worker.bgw_function_name, BGW_MAXLEN, "%s", dispatcher ? "pulse_dispatcher_main" : "pulse_worker_main");
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_main_arg = ObjectIdGetDatum(database);
    worker.bgw_notify_pid = MyProcPid;
    return call([&] {
        BackgroundWorkerHandle *handle = nullptr;
        const bool registered = RegisterDynamicBackgroundWorker(&worker, &handle);
        if (handle != nullptr) pfree(handle);
        return registered;
    });
}

void begin_signals() {
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
}

// Runs after the process has left the proc array: whoever waits for the pid to vanish finds the database unused.
static void leave_entry(int, Datum) {
    callback("the end of a worker", [] {
        LWLockAcquire(shared()->lock, LW_EXCLUSIVE);
        if (pid_of(my_place, my_role) == MyProcPid) {
            pid_of(my_place, my_role) = 0;
            latch_of(my_place, my_role) = nullptr;
        }
        Latch *launcher = shared()->launcher_latch;
        LWLockRelease(shared()->lock);
        wake(launcher);
    });
}

DatabaseEntry *begin_worker(WorkerRole role, Oid database) {
    begin_signals();
    if (shared() == nullptr) end_worker();
    LWLockAcquire(shared()->lock, LW_EXCLUSIVE);
    my_place = ensure_database(database);
    const bool mine = my_place != nullptr && my_place->held == 0 && pid_of(my_place, role) == 0;
    if (my_place != nullptr) ++my_place->starts[static_cast<int>(role)];
    if (mine) {
        my_role = role;
        pid_of(my_place, role) = MyProcPid;
        latch_of(my_place, role) = MyLatch;
    }
    LWLockRelease(shared()->lock);
    if (!mine) end_worker();
    on_shmem_exit(leave_entry, Datum(0));
    call([=] {
        BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
        // Whatever the DBA's defaults for sessions are, a worker writes, waits for its locks, and finds only what it names.
        struct {
            const char *name, *value;
        } const settings[] = {{"search_path", "pg_catalog, pg_temp"},
                              {"default_transaction_read_only", "off"},
                              {"default_transaction_isolation", "read committed"},
                              {"lock_timeout", "0"},
                              {"idle_in_transaction_session_timeout", "0"},
                              {"statement_timeout", "0"}};
        for (const auto &setting : settings) SetConfigOption(setting.name, setting.value, PGC_SUSET, PGC_S_SESSION);
    });
    return my_place;
}

void serve_interrupts() {
    call([] {
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
    });
}

bool wait(long timeout_ms) {
    const int events = call([=] {
        const int wake = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout_ms >= 0 ? WL_TIMEOUT : 0);
        const int happened = WaitLatch(MyLatch, wake, timeout_ms, PG_WAIT_EXTENSION);
        if (happened & WL_LATCH_SET) ResetLatch(MyLatch);
        return happened;
    });
    serve_interrupts();
    return (events & WL_LATCH_SET) != 0;
}

// A worker says why it leaves, in the server's log; a tick from SQL raises it.
static void complain(const Installed &found) {
    ereport(
        my_place == nullptr ? ERROR : WARNING,
        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
         errmsg("database \"%s\" has version %s of the extension pulse, the library is of version %s: nothing is dispatched there",
                get_database_name(MyDatabaseId), found.version, kVersion),
         errhint(
             "Run ALTER EXTENSION pulse UPDATE in it; if that changes nothing, restart PostgreSQL: the library it has loaded is older.")));
}

Oid lock_extension() {
    if (my_place != nullptr) changes_seen = pg_atomic_read_u32(&my_place->extension_changes);
    const Oid found = call([] {
        const Installed before = installed_extension();
        if (!before.exists()) return InvalidOid;
        LockDatabaseObject(ExtensionRelationId, before.oid, 0, AccessShareLock);
        const Installed locked = installed_extension();
        if (locked.oid != before.oid) return InvalidOid;
        if (locked.is_ours()) return locked.oid;
        complain(locked);
        return InvalidOid;
    });
    if (my_place == nullptr) return found;  // a tick from SQL
    if (!OidIsValid(my_extension)) my_extension = found;
    replaced = OidIsValid(found) && found != my_extension;
    return replaced ? InvalidOid : found;
}

void end_worker() { proc_exit(0); }

void end_without_extension() {
    LWLockAcquire(shared()->lock, LW_EXCLUSIVE);
    // Whoever created it since we looked has woken the launcher already, and must not be overruled.
    if (!replaced && pg_atomic_read_u32(&my_place->extension_changes) == changes_seen) my_place->no_extension = true;
    LWLockRelease(shared()->lock);
    end_worker();
}

}  // namespace pulse::pg
