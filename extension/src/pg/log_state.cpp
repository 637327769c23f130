// Shared memory first; the table when this server has not looked yet.
#include "pg/log_state.hpp"

#include "pg/shmem.hpp"

namespace pulse::pg {

namespace {

struct Found {
    LogState state;
    bool settled;  // false: the table was made by this very transaction
};

// Straight from the table: a publisher has no right to read it, and needs none of SPI's cost.
Found read_table() {
    return call([] {
        const Oid schema = get_namespace_oid("_pulse", true);
        const Oid table = OidIsValid(schema) ? get_relname_relid("rotations", schema) : InvalidOid;
        const Oid key = OidIsValid(schema) ? get_relname_relid("rotations_pkey", schema) : InvalidOid;
        if (!OidIsValid(table) || !OidIsValid(key)) return Found{{0, 1}, false};  // version 1.0, which rotates nothing
        Relation relation = table_open(table, AccessShareLock);
        Relation index = index_open(key, AccessShareLock);
        const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
        SysScanDesc scan = systable_beginscan_ordered(relation, index, snapshot, 0, nullptr);
        Found found{{0, 1}, relation->rd_createSubid == InvalidSubTransactionId};
        if (HeapTuple row = systable_getnext_ordered(scan, BackwardScanDirection)) {
            enum { kNumber = 1, kSlot, kFloor };
            bool null;
            found.state.slot = DatumGetInt16(heap_getattr(row, kSlot, RelationGetDescr(relation), &null));
            found.state.floor = DatumGetInt64(heap_getattr(row, kFloor, RelationGetDescr(relation), &null));
        }
        systable_endscan_ordered(scan);
        UnregisterSnapshot(snapshot);
        index_close(index, NoLock);
        table_close(relation, NoLock);  // locked until the transaction ends: what is kept below is not of a dropped extension
        return found;
    });
}

// For everybody who comes after. Not over what somebody else has put there meanwhile; and a standby only reads the log.
LogState load(DatabaseEntry *entry) {
    const Found found = read_table();
    if (entry == nullptr || !found.settled || RecoveryInProgress()) return found.state;
    uint32 no_slot = kSlotUnknown;
    uint64 no_floor = kFloorUnknown;
    pg_atomic_compare_exchange_u32(&entry->slot, &no_slot, static_cast<uint32>(found.state.slot));
    pg_atomic_compare_exchange_u64(&entry->floor, &no_floor, static_cast<uint64>(found.state.floor));
    return {static_cast<int>(pg_atomic_read_u32(&entry->slot)), static_cast<int64>(pg_atomic_read_u64(&entry->floor))};
}

}  // namespace

LogState read_log_state() { return read_table().state; }

int16 current_slot() {
    DatabaseEntry *entry = my_database();
    if (entry == nullptr) return 0;
    const uint32 slot = pg_atomic_read_u32(&entry->slot);
    return static_cast<int16>(slot != kSlotUnknown ? static_cast<int>(slot) : load(entry).slot);
}

int64 log_floor() {
    DatabaseEntry *entry = my_database();
    const uint64 floor = entry == nullptr ? kFloorUnknown : pg_atomic_read_u64(&entry->floor);
    return floor != kFloorUnknown ? static_cast<int64>(floor) : load(entry).floor;
}

}  // namespace pulse::pg
