// The steps of a rotation, and what the end of its transaction does to shared memory.
#include "dispatch/retention.hpp"

#include "dispatch/chunk.hpp"
#include "guc.hpp"
#include "pg/log_state.hpp"
#include "pg/shmem.hpp"

#include <algorithm>

namespace pulse::dispatch {

namespace {

// What this transaction has put into shared memory, or will.
struct Pending {
    bool active = false;
    uint64 old_floor = 0;  // goes back when nothing was emptied
    int new_slot = -1;     // current from the commit on
};
Pending pending;

void finish(bool committed) {
    pg::DatabaseEntry *entry = pg::my_database();
    if (entry != nullptr && committed && pending.new_slot >= 0) pg_atomic_write_u32(&entry->slot, static_cast<uint32>(pending.new_slot));
    if (entry != nullptr && !committed) pg_atomic_write_u64(&entry->floor, pending.old_floor);
    pending = {};
}

// Locks are still held here: nobody else has rotated meanwhile.
void on_xact(XactEvent event, void *) {
    if (!pending.active) return;
    if (event == XACT_EVENT_PRE_PREPARE)  // nothing is decided yet: this one is meant to raise
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot PREPARE a transaction that has rotated the log")));
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
        pg::callback("the end of a rotation", [=] { finish(event == XACT_EVENT_COMMIT); });
}

// The partitions of a slot, with their TOAST tables, which autovacuum visits by themselves.
struct Tables {
    Oid oids[6];
    int count = 0;
};

Oid partition(const char *table, int slot) {
    char name[NAMEDATALEN];
    pg_snprintf(name, sizeof name, "%s_%d", table, slot);
    const Oid oid = get_relname_relid(name, get_namespace_oid("_pulse", false));
    if (!OidIsValid(oid)) ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table \"_pulse.%s\" does not exist", name)));
    return oid;
}

constexpr const char *kTables[] = {"events", "deliveries", "ticks"};

bool is_empty(int slot) {
    return pg::call([=] {
        for (const char *table : kTables) {
            Relation relation = table_open(partition(table, slot), AccessShareLock);
            const uint64 bytes = table_relation_size(relation, MAIN_FORKNUM);
            table_close(relation, AccessShareLock);
            if (bytes > 0) return false;
        }
        return true;
    });
}

void unlock(const Tables &tables) {
    pg::call([&] {
        for (int n = 0; n < tables.count; ++n) UnlockRelationOid(tables.oids[n], AccessExclusiveLock);
    });
}

// Never waits: a lock that waits makes everybody who comes later wait behind it. False: somebody uses one of them.
bool lock_all(int slot, Tables &tables) {
    const bool all = pg::call([&] {
        const auto lock = [&](Oid oid) {
            if (!ConditionalLockRelationOid(oid, AccessExclusiveLock)) return false;
            tables.oids[tables.count++] = oid;
            return true;
        };
        for (const char *table : kTables) {
            const Oid oid = partition(table, slot);
            if (!lock(oid)) return false;
            Relation relation = table_open(oid, NoLock);
            const Oid toast = relation->rd_rel->reltoastrelid;
            table_close(relation, NoLock);
            if (OidIsValid(toast) && !lock(toast)) return false;
        }
        return true;
    });
    if (!all) unlock(tables);
    return all;
}

bool older_than(TimestampTz at, double seconds) { return static_cast<double>(GetCurrentTimestamp() - at) > seconds * 1e6; }

// When the position was dispatched, at the latest.
TimestampTz time_of(std::int64_t position) {
    static pg::Plan plan("SELECT t.at FROM pulse.ticks t WHERE t.last_position >= $1 ORDER BY t.last_position, t.at LIMIT 1");
    return plan.run({pg::param_int8(position)}, true) == 0 ? GetCurrentTimestamp() : DatumGetTimestampTz(pg::result_row().datum(1));
}

// The first position that is not lost with a slot.
std::int64_t floor_without(int slot, const Progress &progress) {
    static pg::Plan plan("SELECT t.last_position FROM pulse.ticks t WHERE t.slot = $1 ORDER BY t.last_position DESC LIMIT 1");
    std::int64_t last = progress.slot_ends.at(static_cast<std::size_t>(slot));
    if (plan.run({{INT2OID, Int16GetDatum(static_cast<int16>(slot))}}, true) > 0) last = std::max(last, pg::result_row().int8(1));
    return last + 1;
}

// Whether a consumer still wants what lies below a floor that is not in force yet, and has not had pulse.max_retention for it.
std::optional<Rotation> held_by_consumer(int slot, std::int64_t floor, TimestampTz at) {
    static pg::Plan plan("SELECT c.name FROM _pulse.consumers c WHERE c.position < $1 ORDER BY c.position LIMIT 1");
    if (older_than(at, guc::max_retention) || plan.run({pg::param_int8(floor - 1)}, true) == 0) return std::nullopt;
    return Rotation{false, "consumer \"" + std::string(pg::result_row().text(1)) + "\" has not read slot " + std::to_string(slot), true};
}

void record(int slot, std::int64_t floor, std::optional<int> emptied) {
    static pg::Plan insert("INSERT INTO _pulse.rotations (slot, floor, emptied) VALUES ($1, $2, $3)");
    static pg::Plan forget("DELETE FROM _pulse.rotations WHERE number < (SELECT max(r.number) FROM _pulse.rotations r) - 1000");
    insert.run({{INT2OID, Int16GetDatum(static_cast<int16>(slot))},
                pg::param_int8(floor),
                {INT2OID, Int16GetDatum(static_cast<int16>(emptied.value_or(0))), !emptied}});
    forget.run();
    pg::call([] { ForceSyncCommit(); });
}

void raise_floor(pg::DatabaseEntry *entry, std::int64_t floor) {
    pending.active = true;
    pending.old_floor = pg_atomic_read_u64(&entry->floor);
    if (pending.old_floor < static_cast<uint64>(floor)) pg_atomic_exchange_u64(&entry->floor, static_cast<uint64>(floor));
}

// at: when the last position below the floor was dispatched; nullopt when the floor stays as it is.
Rotation empty(pg::DatabaseEntry *entry, int slot, const Progress &progress, std::int64_t floor, std::optional<TimestampTz> at) {
    const std::string name = "slot " + std::to_string(slot);
    // First of all: a reader that sees the emptied tables sees the new floor when it looks again.
    raise_floor(entry, floor);
    Tables tables;
    if (!lock_all(slot, tables)) {
        finish(false);
        return {false, name + " is in use", true};
    }
    std::optional<Rotation> held;
    {
        const pg::LatestSnapshot fresh;  // nobody can add to the slot any more, and this sees who has
        if (has_undispatched(slot, progress.upto, current_snapshot()))
            held = Rotation{false, name + " has events without a position", true};
    }
    if (!held && at) {
        const pg::LatestSnapshot fresh;  // a consumer that came meanwhile
        held = held_by_consumer(slot, floor, *at);
    }
    if (held) {
        finish(false);
        unlock(tables);
        return *held;
    }
    pg::call([=] {
        const char *sql = psprintf("TRUNCATE _pulse.events_%d, _pulse.deliveries_%d, _pulse.ticks_%d", slot, slot, slot);
        if (SPI_execute(sql, false, 0) != SPI_OK_UTILITY) elog(ERROR, "could not run \"%s\"", sql);
    });
    record(pg::current_slot(), floor, slot);
    return {true, "emptied " + name + ", floor is " + std::to_string(floor)};
}

Rotation try_to_empty(pg::DatabaseEntry *entry, int slot, const Progress &progress, bool forced) {
    if (progress.done_id) return {false, "a backlog is being dispatched"};
    if (progress.upto.xmax > pg::call([] { return U64FromFullTransactionId(ReadNextFullTransactionId()); }))
        return {false, "the log was written by another cluster and waits for a tick"};
    const std::int64_t floor = floor_without(slot, progress);
    if (floor <= pg::log_floor())
        return empty(entry, slot, progress, pg::log_floor(), std::nullopt);  // nobody is told of its rows any more
    const TimestampTz at = time_of(floor - 1);
    if (!forced && !older_than(at, guc::retention)) return {false, "slot " + std::to_string(slot) + " is young"};
    if (auto held = held_by_consumer(slot, floor, at)) return *std::move(held);
    return empty(entry, slot, progress, floor, at);
}

// The new slot begins with a tick without events, so that progress never lies in a slot that is emptied.
Rotation switch_to(int slot, const Progress &progress) {
    ChunkWriter writer(static_cast<std::int16_t>(slot));
    writer.write_tick({}, progress.last_position + 1, progress);
    writer.close();
    pending = {true, static_cast<uint64>(pg::log_floor()), slot};
    record(slot, pg::log_floor(), std::nullopt);
    return {true, "new rows go to slot " + std::to_string(slot)};
}

bool switch_is_due() {
    static pg::Plan plan("SELECT r.at FROM _pulse.rotations r WHERE r.emptied IS NULL ORDER BY r.number DESC LIMIT 1");
    return plan.run({}, true) == 0 || older_than(DatumGetTimestampTz(pg::result_row().datum(1)), guc::retention / 2.0);
}

}  // namespace

Rotation rotate(bool forced) {
    if (!lock_dispatch()) return {false, "the extension is gone"};
    pg::DatabaseEntry *entry = pg::my_database();
    if (entry == nullptr) return {false, "pulse is not preloaded"};
    const pg::LatestSnapshot active;  // after the lock: it sees every tick that was
    const pg::SpiSession spi;
    const Progress progress = load_progress();
    (void)pg::log_floor();  // in shared memory from here on
    const int next = (pg::current_slot() + 1) % pg::kSlots;
    if (!is_empty(next)) return try_to_empty(entry, next, progress, forced);
    if (!forced && !switch_is_due()) return {false, "the slot is young"};
    return switch_to(next, progress);
}

void forget_rotation() {
    if (pending.active) finish(false);
}

void init_retention() { RegisterXactCallback(on_xact, nullptr); }

}  // namespace pulse::dispatch

PULSE_FN(pulse_rotate) {
    pulse::dispatch::check_transaction("a rotation");
    return pulse::pg::text_datum(pulse::dispatch::rotate(true).what);
}
