// Registration, claiming an entry, connection and waiting of the workers of a database.
#include "pg/worker.hpp"

#include "pg/extension.hpp"

#include <cstdio>

namespace pulse::pg {

static DatabaseEntry *my_place = nullptr;
static Process *my_process = nullptr;
static Oid my_extension = InvalidOid;  // the one that this worker serves
static bool replaced = false;          // another one has come in its place
static uint32 changes_seen = 0;        // of the entry, before the extension was last looked for

struct RoleName {
    const char *type, *main;
};

static RoleName name_of(WorkerRole role) {
    switch (role) {
        case WorkerRole::kDispatcher: return {"pulse dispatcher", "pulse_dispatcher_main"};
        case WorkerRole::kForeman: return {"pulse foreman", "pulse_foreman_main"};
        case WorkerRole::kHttp: return {"pulse http worker", "pulse_http_worker_main"};
        case WorkerRole::kJobs: break;
    }
    return {"pulse worker", "pulse_worker_main"};
}

bool start_worker(WorkerRole role, int number, Oid database, const char *database_name) {
    BackgroundWorker worker = {};
    const RoleName name = name_of(role);
    std::snprintf(worker.bgw_type, BGW_MAXLEN, "%s", name.type);
    std::snprintf(worker.bgw_name, BGW_MAXLEN, "%s %.*s", name.type, NAMEDATALEN, database_name);
    std::snprintf(worker.bgw_library_name, BGW_MAXLEN, "pulse");
    std::snprintf(worker.bgw_function_name, BGW_MAXLEN, "%s", name.main);
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_main_arg = UInt64GetDatum(static_cast<uint64>(number) << 32 | database);
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
        if (my_process->pid == MyProcPid) {
            my_process->pid = 0;
            my_process->latch = nullptr;
        }
        Latch *launcher = shared()->launcher_latch;
        LWLockRelease(shared()->lock);
        wake(launcher);
    });
}

DatabaseEntry *begin_worker(WorkerRole role, Oid database, int number) {
    begin_signals();
    if (shared() == nullptr) end_worker();
    LWLockAcquire(shared()->lock, LW_EXCLUSIVE);
    my_place = ensure_database(database);
    Process *process = my_place == nullptr ? nullptr : &my_place->process(role, number);
    const bool mine = process != nullptr && my_place->held == 0 && process->pid == 0;
    if (process != nullptr) ++process->starts;
    if (mine) {
        my_process = process;
        process->pid = MyProcPid;
        process->latch = MyLatch;
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
        // Nearly always it is the same as ever: one look, once it is locked.
        if (OidIsValid(my_extension)) {
            LockDatabaseObject(ExtensionRelationId, my_extension, 0, AccessShareLock);
            const Installed same = installed_extension();
            if (same.oid == my_extension && same.is_ours()) return my_extension;
        }
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

bool extension_is_gone() {
    LWLockAcquire(shared()->lock, LW_SHARED);
    const bool gone = my_place->no_extension;
    LWLockRelease(shared()->lock);
    return gone;
}

}  // namespace pulse::pg
