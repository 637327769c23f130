// heap_insert and the indexes of the row.
#include "pg/heap.hpp"

namespace pulse::pg {

void insert_row(Relation relation, Datum *values, bool *nulls, int count) {
    call([&] {
        const TupleDesc desc = RelationGetDescr(relation);
        Datum *all_values = values;
        bool *all_nulls = nulls;
        if (desc->natts > count) {  // a later version's column
            all_values = static_cast<Datum *>(palloc0(sizeof(Datum) * static_cast<size_t>(desc->natts)));
            all_nulls = static_cast<bool *>(palloc(sizeof(bool) * static_cast<size_t>(desc->natts)));
            for (int i = 0; i < desc->natts; ++i) {
                all_nulls[i] = i >= count || nulls[i];
                if (i < count) all_values[i] = values[i];
            }
        }
        HeapTuple tuple = heap_form_tuple(desc, all_values, all_nulls);
        // Any index that a DBA may have added is served: expressions and predicates need an executor state.
        EState *estate = CreateExecutorState();
        ResultRelInfo *target = makeNode(ResultRelInfo);
        InitResultRelInfo(target, relation, 0, nullptr, 0);
        ExecOpenIndices(target, false);
        heap_insert(relation, tuple, GetCurrentCommandId(true), 0, nullptr);
        if (target->ri_NumIndices > 0) {
            TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsHeapTuple);
            ExecStoreHeapTuple(tuple, slot, false);
            slot->tts_tableOid = RelationGetRelid(relation);
            list_free(ExecInsertIndexTuples(target, slot, estate, false, false, nullptr, NIL));
            ExecDropSingleTupleTableSlot(slot);
        }
        ExecCloseIndices(target);
        FreeExecutorState(estate);
        heap_freetuple(tuple);
    });
}

}  // namespace pulse::pg
