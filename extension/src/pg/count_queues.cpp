// Jobs by queue and state, with an end: as count.cpp, but each queue has its part of the entries.
#include "pg/guard.hpp"

#include <cstring>

using namespace pulse;

namespace {

// Queues of which one entry is looked at.
constexpr int64 kMostMore = 1000;

struct Columns {
    int queue, state, run_at;  // state: 0 when the table has none
};

struct Counts {
    int64 available, scheduled, retryable, executing, dead;
    TimestampTz oldest;  // of those available
};

int column(Relation table, const char *name) {
    const AttrNumber number = get_attnum(RelationGetRelid(table), name);
    return number == InvalidAttrNumber ? 0 : number;
}

bool is(const text *value, const char *word) {
    return VARSIZE_ANY_EXHDR(value) == strlen(word) && memcmp(VARDATA_ANY(value), word, strlen(word)) == 0;
}

void count(Counts &counts, const Columns &columns, TupleTableSlot *slot, TimestampTz now) {
    if (columns.state == 0) {
        ++counts.dead;
        return;
    }
    bool null;
    const text *state = DatumGetTextPP(slot_getattr(slot, columns.state, &null));
    const TimestampTz run_at = DatumGetTimestampTz(slot_getattr(slot, columns.run_at, &null));
    if (is(state, "executing")) {
        ++counts.executing;
    } else if (is(state, "retryable")) {
        ++counts.retryable;
    } else if (run_at > now) {
        ++counts.scheduled;
    } else {
        ++counts.available;
        counts.oldest = Min(counts.oldest, run_at);
    }
}

// From the end, or from the last entry before a queue.
IndexScanDesc begin(Relation table, Relation index, const Datum *before) {
    IndexScanDesc scan = index_beginscan(table, index, GetActiveSnapshot(), before == nullptr ? 0 : 1, 0);
    scan->xs_want_itup = true;
    ScanKeyData key{};
    if (before != nullptr) {
        const Oid type = index->rd_opcintype[0];
        const Oid less = get_opfamily_member(index->rd_opfamily[0], type, type, BTLessStrategyNumber);
        ScanKeyInit(&key, 1, BTLessStrategyNumber, get_opcode(less), *before);
        key.sk_collation = index->rd_indcollation[0];
    }
    index_rescan(scan, before == nullptr ? nullptr : &key, before == nullptr ? 0 : 1, nullptr, 0);
    return scan;
}

void put(ReturnSetInfo *result, Datum queue, const Counts &counts, bool complete) {
    // Entries of rows that are gone, or were rolled back, and are not cleared away yet.
    if (complete && counts.available + counts.scheduled + counts.retryable + counts.executing + counts.dead == 0) return;
    Datum values[] = {queue,
                      Int64GetDatum(counts.available),
                      Int64GetDatum(counts.scheduled),
                      Int64GetDatum(counts.retryable),
                      Int64GetDatum(counts.executing),
                      Int64GetDatum(counts.dead),
                      TimestampTzGetDatum(counts.oldest),
                      BoolGetDatum(complete)};
    bool nulls[] = {false, false, false, false, false, false, counts.oldest == DT_NOEND, false};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

}  // namespace

// _pulse.count_queues(index regclass, entries integer, total integer): of an index whose first column is the queue, what is visible of each
// queue, found by looking at so many of its entries, the newest first. Once these were so many of all, one entry of each other queue is
// looked at, so that none seems to be empty. complete: there are no more.
PULSE_FN(pulse_count_queues) {
    return pg::call([&]() -> Datum {
        InitMaterializedSRF(fcinfo, 0);
        auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
        const int64 most = PG_GETARG_INT32(1);
        int64 left = PG_GETARG_INT32(2);
        // The table first, as REINDEX and TRUNCATE lock them.
        Relation table = table_open(IndexGetRelation(PG_GETARG_OID(0), false), AccessShareLock);
        Relation index = index_open(PG_GETARG_OID(0), AccessShareLock);
        const Columns columns{column(table, "queue"), column(table, "state"), column(table, "run_at")};
        if (index->rd_index->indkey.values[0] != columns.queue || columns.queue == 0) elog(ERROR, "not an index of queues");
        const TimestampTz now = GetCurrentTimestamp();
        TupleTableSlot *slot = table_slot_create(table, nullptr);
        IndexScanDesc scan = begin(table, index, nullptr);
        Datum queue = 0;
        Counts counts{};
        int64 looked = 0;
        while (left > -kMostMore) {
            CHECK_FOR_INTERRUPTS();
            if (index_getnext_tid(scan, BackwardScanDirection) == nullptr) break;
            bool null;
            const Datum here = index_getattr(scan->xs_itup, 1, scan->xs_itupdesc, &null);
            if (looked == 0 || !datumIsEqual(queue, here, false, -1)) {
                if (looked > 0) put(result, queue, counts, true);
                queue = datumCopy(here, false, -1);
                counts = Counts{0, 0, 0, 0, 0, DT_NOEND};
                looked = 0;
            }
            --left;
            if (index_fetch_heap(scan, slot)) count(counts, columns, slot, now);
            if (++looked < (left > 0 ? most : 1)) continue;
            // The rest of this queue is passed over.
            put(result, queue, counts, false);
            looked = 0;
            index_endscan(scan);
            scan = begin(table, index, &queue);
        }
        if (looked > 0) put(result, queue, counts, true);
        index_endscan(scan);
        ExecDropSingleTupleTableSlot(slot);
        index_close(index, AccessShareLock);
        table_close(table, AccessShareLock);
        return Datum(0);
    });
}
