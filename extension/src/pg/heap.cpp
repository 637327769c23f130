// heap_insert and the indexes of the row.
#include "pg/heap.hpp"

namespace pulse::pg {

Oid own_relation(const char *name) {
    const Oid schema = get_namespace_oid("_pulse", true);
    return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

// Locking processes invalidations: the table may turn out to be gone and another in its place.
OwnTable::OwnTable(const char *name) : exceptions_(std::uncaught_exceptions()) {
    call([&] {
        do {
            const Oid wanted = own_relation(name);
            if (!OidIsValid(wanted))
                ereport(ERROR,
                        (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("extension pulse is not installed, or has no table \"%s\"", name)));
            table_ = try_table_open(wanted, RowExclusiveLock);
        } while (table_ == nullptr);
    });
}

OwnTable::~OwnTable() {
    if (std::uncaught_exceptions() == exceptions_) table_close(table_, NoLock);
}

Inserter::Inserter(Relation relation) : relation_(relation), exceptions_(std::uncaught_exceptions()) {
    call([&] {
        // Any index that a DBA may have added is served: expressions and predicates need an executor state.
        estate_ = CreateExecutorState();
        target_ = makeNode(ResultRelInfo);
        InitResultRelInfo(target_, relation_, 0, nullptr, 0);
        ExecOpenIndices(target_, false);
        slot_ = MakeSingleTupleTableSlot(RelationGetDescr(relation_), &TTSOpsHeapTuple);
        row_memory_ = AllocSetContextCreate(CurrentMemoryContext, "pulse row", ALLOCSET_SMALL_SIZES);
    });
}

Inserter::~Inserter() {
    if (std::uncaught_exceptions() != exceptions_) return;
    ExecDropSingleTupleTableSlot(slot_);
    ExecCloseIndices(target_);
    FreeExecutorState(estate_);
    MemoryContextDelete(row_memory_);
}

void Inserter::insert(Datum *values, bool *nulls, int count) {
    const MemoryContext before = MemoryContextSwitchTo(row_memory_);
    const TupleDesc desc = RelationGetDescr(relation_);
    Datum *all_values = values;
    bool *all_nulls = nulls;
    if (desc->natts > count) {  // a later version's column, or what stays null
        all_values = static_cast<Datum *>(palloc0(sizeof(Datum) * static_cast<size_t>(desc->natts)));
        all_nulls = static_cast<bool *>(palloc(sizeof(bool) * static_cast<size_t>(desc->natts)));
        for (int i = 0; i < desc->natts; ++i) {
            all_nulls[i] = i >= count || nulls[i];
            if (i < count) all_values[i] = values[i];
        }
    }
    HeapTuple tuple = heap_form_tuple(desc, all_values, all_nulls);
    heap_insert(relation_, tuple, GetCurrentCommandId(true), 0, nullptr);
    if (target_->ri_NumIndices > 0) {
        ExecStoreHeapTuple(tuple, slot_, false);
        slot_->tts_tableOid = RelationGetRelid(relation_);
        list_free(ExecInsertIndexTuples(target_, slot_, estate_, false, false, nullptr, NIL));
        ExecClearTuple(slot_);
        ResetPerTupleExprContext(estate_);
    }
    MemoryContextSwitchTo(before);
    MemoryContextReset(row_memory_);
}

void insert_row(Relation relation, Datum *values, bool *nulls, int count) {
    Inserter inserter(relation);
    call([&] { inserter.insert(values, nulls, count); });
}

}  // namespace pulse::pg
