// Counting with an end: while somebody holds an old snapshot, an index is full of entries of jobs that are long gone, and a count by SQL
// walks over all of them to find its rows.
#include "pg/guard.hpp"

using namespace pulse;

// _pulse.count_by_index(index regclass, entries integer, OUT counted bigint, OUT complete boolean): rows that are visible, found by looking
// at so many of the index's entries, the newest of each kind first.
PULSE_FN(pulse_count_by_index) {
    return pg::call([&]() -> Datum {
        const Oid index_id = PG_GETARG_OID(0);
        const int64 most = PG_GETARG_INT32(1);
        // The table first, as REINDEX and TRUNCATE lock them.
        Relation table = table_open(IndexGetRelation(index_id, false), AccessShareLock);
        Relation index = index_open(index_id, AccessShareLock);
        TupleTableSlot *slot = table_slot_create(table, nullptr);
        IndexScanDesc scan = index_beginscan(table, index, GetActiveSnapshot(), 0, 0);
        index_rescan(scan, nullptr, 0, nullptr, 0);
        int64 looked = 0, counted = 0;
        bool complete = false;
        for (; looked < most; ++looked) {
            CHECK_FOR_INTERRUPTS();
            if (index_getnext_tid(scan, BackwardScanDirection) == nullptr) {
                complete = true;
                break;
            }
            if (index_fetch_heap(scan, slot)) ++counted;
        }
        index_endscan(scan);
        ExecDropSingleTupleTableSlot(slot);
        index_close(index, AccessShareLock);
        table_close(table, AccessShareLock);
        TupleDesc desc;
        if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) elog(ERROR, "not called for a row");
        Datum values[] = {Int64GetDatum(counted), BoolGetDatum(complete)};
        bool nulls[] = {false, false};
        return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
    });
}
