// The ProcessUtility hook and what it leaves to the end of the transaction.
#include "dispatch/utility_hook.hpp"

#include "pg/commit_wake.hpp"
#include "pg/extension.hpp"
#include "pg/guard.hpp"
#include "pg/shmem.hpp"

#include <csignal>
#include <cstring>

namespace pulse::dispatch {

namespace {

// How long a command waits for workers that it has told to stop. They stop within milliseconds; one that does not
// is left to the command's own complaint about other sessions.
constexpr int kStopPatience = 5000;

ProcessUtility_hook_type previous = nullptr;

// What this transaction owes at its end. Plain data: it outlives any error.
pg::DatabaseEntry *held[8];
int held_count = 0;
Oid dropped_database = InvalidOid;  // its entry becomes free at commit
bool look_again = false;            // at commit the launcher looks again
bool extension_touched = false;     // a command may create, update or drop the extension here
pg::Installed extension_before;     // … which was this one at first
pg::Installed extension_after;      // … and is this one at the end: a savepoint may have taken the command back

bool workers_running(const pg::DatabaseEntry *entry) {
    LWLockAcquire(pg::shared()->lock, LW_SHARED);
    const bool running = entry->has_processes();
    LWLockRelease(pg::shared()->lock);
    return running;
}

// Tells the workers of a database to end, keeps new ones away until the transaction is over, and waits for the old ones.
void hold(Oid database) {
    if (!OidIsValid(database) || held_count == static_cast<int>(lengthof(held))) return;
    LWLockAcquire(pg::shared()->lock, LW_EXCLUSIVE);
    pg::DatabaseEntry *entry = pg::ensure_database(database);
    if (entry != nullptr) {
        ++entry->held;
        held[held_count++] = entry;
        for (const pg::Process &process : entry->processes)
            if (process.pid != 0) kill(process.pid, SIGTERM);
    }
    LWLockRelease(pg::shared()->lock);
    if (entry == nullptr) return;
    const TimestampTz patience = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kStopPatience);
    while (workers_running(entry) && GetCurrentTimestamp() < patience) {
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 5, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    }
}

bool may_stop(Oid database) { return OidIsValid(database) && pg_database_ownercheck(database, GetUserId()); }

bool may_copy(Oid database) {
    if (!OidIsValid(database)) return false;
    if (may_stop(database)) return true;
    bool allowed = false;
    HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
    if (HeapTupleIsValid(tuple)) {
        allowed = ((Form_pg_database)GETSTRUCT(tuple))->datistemplate;
        ReleaseSysCache(tuple);
    }
    tuple = allowed ? SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId())) : nullptr;
    if (HeapTupleIsValid(tuple)) {
        allowed = ((Form_pg_authid)GETSTRUCT(tuple))->rolcreatedb;
        ReleaseSysCache(tuple);
    }
    return allowed;
}

char *string_option(List *options, const char *name) {
    ListCell *cell;
    foreach (cell, options) {
        DefElem *option = lfirst_node(DefElem, cell);
        if (strcmp(option->defname, name) == 0) return option->arg == nullptr ? nullptr : defGetString(option);
    }
    return nullptr;
}

// Somebody without the right to the command must not stop workers by trying it.
void hold_if_allowed(const char *database) {
    const Oid oid = get_database_oid(database, true);
    if (may_stop(oid)) hold(oid);
}

void touch_extension() {
    if (extension_touched) return;
    extension_touched = true;
    extension_before = pg::installed_extension();
}

// ALTER EXTENSION pulse …: an update changes the tables under the workers. It need not wait for their locks, nor they for its.
void alter_extension(const char *name) {
    if (strcmp(name, "pulse") != 0) return;
    touch_extension();
    if (extension_before.exists() && pg_extension_ownercheck(extension_before.oid, GetUserId())) hold(MyDatabaseId);
}

void before(Node *statement) {
    switch (nodeTag(statement)) {
        case T_CreateExtensionStmt:  // any: a pack may bring pulse by CASCADE
        case T_DropOwnedStmt: touch_extension(); break;
        case T_AlterExtensionStmt: alter_extension(reinterpret_cast<AlterExtensionStmt *>(statement)->extname); break;
        case T_DropStmt: {
            const ObjectType type = reinterpret_cast<DropStmt *>(statement)->removeType;
            if (type == OBJECT_EXTENSION || type == OBJECT_SCHEMA) touch_extension();
            break;
        }
        case T_TransactionStmt:
            if (reinterpret_cast<TransactionStmt *>(statement)->kind == TRANS_STMT_COMMIT_PREPARED) touch_extension();
            break;
        case T_DropdbStmt: {
            const char *name = reinterpret_cast<DropdbStmt *>(statement)->dbname;
            hold_if_allowed(name);
            dropped_database = get_database_oid(name, true);
            break;
        }
        case T_RenameStmt: {
            auto *rename = reinterpret_cast<RenameStmt *>(statement);
            if (rename->renameType == OBJECT_DATABASE) {
                hold_if_allowed(rename->subname);
                look_again = true;
            }
            break;
        }
        case T_AlterDatabaseStmt: {
            auto *alter = reinterpret_cast<AlterDatabaseStmt *>(statement);
            if (string_option(alter->options, "tablespace") != nullptr) hold_if_allowed(alter->dbname);
            look_again = true;  // ALLOW_CONNECTIONS too is the launcher's business
            break;
        }
        case T_CreatedbStmt: {
            const char *source = string_option(reinterpret_cast<CreatedbStmt *>(statement)->options, "template");
            const Oid oid = get_database_oid(source == nullptr ? "template1" : source, true);
            if (may_copy(oid)) hold(oid);
            look_again = true;
            break;
        }
        default: break;
    }
}

void wake_workers_at_commit() {
    pg::wake_at_commit(pg::Wake::kDispatcher);
    pg::wake_at_commit(pg::Wake::kForeman);
}

void after(Node *statement) {
    // The prepared transaction's own session has forgotten what it wanted to wake.
    if (IsA(statement, TransactionStmt) && reinterpret_cast<TransactionStmt *>(statement)->kind == TRANS_STMT_COMMIT_PREPARED)
        wake_workers_at_commit();
}

void finish(bool committed) {
    const bool changed = committed && extension_touched && !(extension_after == extension_before);
    LWLockAcquire(pg::shared()->lock, LW_EXCLUSIVE);
    for (int i = 0; i < held_count; ++i) --held[i]->held;
    if (committed && OidIsValid(dropped_database)) {
        pg::DatabaseEntry *entry = pg::find_database(dropped_database);
        if (entry != nullptr && entry->held == 0 && !entry->has_processes()) entry->database = InvalidOid;
    }
    if (changed) {
        if (pg::DatabaseEntry *entry = pg::find_database(MyDatabaseId)) {
            entry->no_extension = !extension_after.exists();
            if (extension_after.oid != extension_before.oid) entry->epoch_open = false;  // an update goes on in its epoch
            pg_atomic_write_u32(&entry->slot, pg::kSlotUnknown);
            pg_atomic_write_u64(&entry->floor, pg::kFloorUnknown);
            pg_atomic_fetch_add_u32(&entry->extension_changes, 1);
        }
    }
    Latch *launcher = pg::shared()->launcher_latch;
    LWLockRelease(pg::shared()->lock);
    if (held_count > 0 || changed || (committed && look_again)) pg::wake(launcher);
    held_count = 0;
    dropped_database = InvalidOid;
    look_again = extension_touched = false;
    extension_before = extension_after = {};
}

void on_xact(XactEvent event, void *) {
    if (event == XACT_EVENT_PRE_COMMIT && extension_touched) {  // the last moment to look into the catalog, and to raise
        extension_after = pg::installed_extension();
        if (!(extension_after == extension_before)) wake_workers_at_commit();
    }
    if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE) return;
    if (held_count == 0 && !look_again && !extension_touched && !OidIsValid(dropped_database)) return;
    pg::callback("the end of a transaction that touched databases or the extension", [=] { finish(event == XACT_EVENT_COMMIT); });
}

// Plain C inside: an ereport may pass through here, and no object is alive.
void on_utility(PlannedStmt *planned, const char *query, bool read_only_tree, ProcessUtilityContext context, ParamListInfo params,
                QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion) {
    Node *statement = planned->utilityStmt;
    before(statement);
    (previous != nullptr ? previous : standard_ProcessUtility)(planned, query, read_only_tree, context, params, environment, dest,
                                                               completion);
    after(statement);
}

}  // namespace

void init_utility_hook() {
    previous = ProcessUtility_hook;
    ProcessUtility_hook = on_utility;
    RegisterXactCallback(on_xact, nullptr);
}

}  // namespace pulse::dispatch
