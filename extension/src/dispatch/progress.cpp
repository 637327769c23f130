// The dispatch lock, the last tick, and what happens to memory at commit and abort.
#include "dispatch/progress.hpp"

#include "pg/shmem.hpp"
#include "pg/worker.hpp"

#include <algorithm>

namespace pulse::dispatch {

namespace {

struct Memory {
    Progress progress;
    bool loaded = false;
    Oid extension = InvalidOid;  // of which incarnation of the extension
    Progress next;
    bool has_next = false;  // next becomes progress when this transaction commits
    std::int64_t events = 0;
};

Memory &memory() {
    static Memory *const kept = new Memory;  // for the life of the process: no destructor at exit
    return *kept;
}

// Runs after the transaction has left the proc array and before its locks are released: the next tick sees it all.
void finish(Memory &mine, bool committed) {
    mine.has_next = false;
    mine.loaded = false;
    if (!committed) return;
    std::swap(mine.progress, mine.next);
    mine.loaded = true;
    if (pg::DatabaseEntry *entry = pg::my_database()) {
        pg_atomic_write_u64(&entry->head, static_cast<uint64>(mine.progress.last_position));
        pg_atomic_fetch_add_u64(&entry->dispatched_events, mine.events);
        pg_atomic_fetch_add_u64(&entry->ticks, 1);
        entry->failed_ticks = 0;
        // A tick from SQL tells bridges nothing: the dispatcher does.
        if (entry->process(pg::WorkerRole::kDispatcher).pid != MyProcPid) pg::wake_dispatcher(entry);
    }
}

void on_xact(XactEvent event, void *) {
    Memory &mine = memory();
    if (!mine.has_next) return;
    if (event == XACT_EVENT_PRE_PREPARE)  // nothing is decided yet: this one is meant to raise
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot PREPARE a transaction that has executed a dispatcher tick")));
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
        pg::callback("the end of a tick", [&] { finish(mine, event == XACT_EVENT_COMMIT); });
}

TxSnapshot parse_snapshot(Datum datum) {
    const char *text = pg::call([=] { return DatumGetCString(DirectFunctionCall1(pg_snapshot_out, datum)); });
    auto snapshot = TxSnapshot::parse(text);
    if (!snapshot) pg::fail(ERRCODE_DATA_CORRUPTED, std::string("snapshot in pulse.ticks is not readable: ") + text);
    return *std::move(snapshot);
}

Progress read_last_tick() {
    static pg::Plan plan(
        "SELECT before, upto, done_id, last_position, slot_ends FROM pulse.ticks ORDER BY last_position DESC, at DESC LIMIT 1");
    if (plan.run({}, true) == 0)
        pg::fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "pulse.ticks is empty", {},
                 "The first tick is written by CREATE EXTENSION; create the extension again.");
    const pg::Row row = pg::result_row();
    Progress progress;
    progress.before = parse_snapshot(row.datum(1));
    progress.upto = parse_snapshot(row.datum(2));
    if (!row.is_null(3)) progress.done_id = row.int8(3);
    progress.last_position = row.int8(4);
    progress.slot_ends.fill(progress.last_position);  // version 1.0 did not record them: no later than this
    if (row.is_null(5)) return progress;
    const auto ends = pg::int8_array(row.datum(5));
    for (std::size_t slot = 0; slot < std::min(ends.size(), progress.slot_ends.size()); ++slot) progress.slot_ends[slot] = ends[slot];
    return progress;
}

uint64 widen(TransactionId xid, FullTransactionId next) {
    uint64 epoch = EpochFromFullTransactionId(next);
    if (xid > XidFromFullTransactionId(next)) --epoch;
    return epoch << 32 | xid;
}

}  // namespace

void check_transaction(const char *what) {
    const auto refuse = [=](const char *why) { pg::fail(ERRCODE_ACTIVE_SQL_TRANSACTION, std::string(what) + why); };
    if (TransactionIdIsValid(GetTopTransactionIdIfAny())) refuse(" cannot run in a transaction that has written something");
    if (XactIsoLevel != XACT_READ_COMMITTED) refuse(" must run in a READ COMMITTED transaction");
    if (GetCurrentTransactionNestLevel() != 1) refuse(" cannot run in a subtransaction");
}

TxSnapshot current_snapshot() {
    Snapshot snapshot = pg::call([] { return GetActiveSnapshot(); });
    const FullTransactionId next = pg::call([] { return ReadNextFullTransactionId(); });
    TxSnapshot result;
    result.xmin = widen(snapshot->xmin, next);
    result.xmax = widen(snapshot->xmax, next);
    result.xip.reserve(snapshot->xcnt);
    for (uint32 i = 0; i < snapshot->xcnt; ++i) result.xip.push_back(widen(snapshot->xip[i], next));
    std::sort(result.xip.begin(), result.xip.end());
    return result;
}

Datum snapshot_datum(const TxSnapshot &snapshot) {
    const std::string text = snapshot.text();
    return pg::call([&] { return DirectFunctionCall1(pg_snapshot_in, CStringGetDatum(text.c_str())); });
}

bool lock_dispatch() {
    const Oid extension = pg::lock_extension();
    if (!OidIsValid(extension)) return false;
    if (memory().extension != extension) {
        memory().extension = extension;
        memory().loaded = false;
    }
    // Nobody else locks a sub-object of an extension, and no SQL can: unlike an advisory lock this one is ours.
    pg::call([=] { LockDatabaseObject(ExtensionRelationId, extension, 1, ExclusiveLock); });
    return true;
}

const Progress &load_progress() {
    Memory &mine = memory();
    const pg::DatabaseEntry *entry = pg::my_database();
    const bool current =
        mine.loaded && entry != nullptr &&
        pg_atomic_read_u64(const_cast<pg_atomic_uint64 *>(&entry->head)) == static_cast<uint64>(mine.progress.last_position);
    if (!current) {
        mine.progress = read_last_tick();
        mine.loaded = true;
        if (entry != nullptr)
            pg_atomic_write_u64(const_cast<pg_atomic_uint64 *>(&entry->head), static_cast<uint64>(mine.progress.last_position));
    }
    return mine.progress;
}

void finish_idle(const TxSnapshot &upto) {
    memory().progress.upto = upto;
    memory().progress.done_id.reset();
}

void skip_backlog(const TxSnapshot &before, const TxSnapshot &upto, std::int64_t done_id) {
    memory().progress.before = before;
    memory().progress.upto = upto;
    memory().progress.done_id = done_id;
}

void remember_at_commit(const Progress &progress, std::int64_t events) {
    Memory &mine = memory();
    mine.next = progress;
    mine.events = events;
    mine.has_next = true;
}

void init_progress() {
    memory();  // made here: on_xact must not run out of memory for it
    RegisterXactCallback(on_xact, nullptr);
}

}  // namespace pulse::dispatch
