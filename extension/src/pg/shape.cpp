// Which indexes, and inserting into them.
#include "pg/shape.hpp"

namespace pulse::pg {

// False: not known where a row goes.
bool Shape::learn_index(Relation index, Relation relation, const Bitmapset *fixed, TupleTableSlot *row, EState *estate) {
    const IndexInfo *info = BuildIndexInfo(index);
    const Form_pg_index form = index->rd_index;
    if (!info->ii_ReadyForInserts || info->ii_Am != BTREE_AM_OID || info->ii_Expressions != NIL || info->ii_ExclusionOps != nullptr ||
        (form->indisunique && !form->indimmediate))
        return false;
    if (info->ii_Predicate != NIL) {
        Bitmapset *asked = nullptr;
        pull_varattnos(reinterpret_cast<Node *>(info->ii_Predicate), 1, &asked);
        if (!bms_is_subset(asked, fixed)) return false;
        ExprContext *context = GetPerTupleExprContext(estate);
        context->ecxt_scantuple = row;
        if (!ExecQual(ExecPrepareQual(info->ii_Predicate, estate), context)) return true;
    }
    if (count_ == kMost) return false;
    Index &learnt = indexes_[count_++];
    learnt = {RelationGetRelid(index), form->indisunique, info->ii_NumIndexAttrs, {}};
    for (int n = 0; n < learnt.columns; ++n) {
        learnt.attributes[n] = info->ii_IndexAttrNumbers[n];
        if (learnt.attributes[n] < 1 || learnt.attributes[n] > RelationGetNumberOfAttributes(relation)) return false;
    }
    return true;
}

void Shape::learn(Relation relation, std::initializer_list<int> fixed, const Datum *values, const bool *nulls) {
    known_ = true;
    count_ = 0;
    EState *estate = CreateExecutorState();
    const MemoryContext before = MemoryContextSwitchTo(estate->es_query_cxt);
    Bitmapset *columns = nullptr;
    TupleTableSlot *row = MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsVirtual);
    ExecStoreAllNullTuple(row);
    for (const int column : fixed) {
        columns = bms_add_member(columns, column - FirstLowInvalidHeapAttributeNumber);
        row->tts_values[column - 1] = values[column - 1];
        row->tts_isnull[column - 1] = nulls[column - 1];
    }
    ListCell *cell;
    foreach (cell, RelationGetIndexList(relation)) {
        Relation index = index_open(lfirst_oid(cell), RowExclusiveLock);
        known_ = known_ && learn_index(index, relation, columns, row, estate);
        index_close(index, NoLock);
    }
    ExecDropSingleTupleTableSlot(row);
    MemoryContextSwitchTo(before);
    FreeExecutorState(estate);
}

Shape::Target::Target(const Shape &shape, Relation relation) : shape_(shape), relation_(relation), exceptions_(std::uncaught_exceptions()) {
    call([&] {
        for (int n = 0; n < shape_.count_; ++n) indexes_[n] = index_open(shape_.indexes_[n].oid, RowExclusiveLock);
    });
}

Shape::Target::~Target() {
    if (std::uncaught_exceptions() != exceptions_) return;
    for (int n = 0; n < shape_.count_; ++n) index_close(indexes_[n], NoLock);
}

void Shape::Target::insert(Datum *values, bool *nulls) {
    HeapTuple tuple = heap_form_tuple(RelationGetDescr(relation_), values, nulls);
    heap_insert(relation_, tuple, GetCurrentCommandId(true), 0, nullptr);
    for (int n = 0; n < shape_.count_; ++n) {
        const Index &index = shape_.indexes_[n];
        Datum keys[INDEX_MAX_KEYS];
        bool key_nulls[INDEX_MAX_KEYS];
        for (int key = 0; key < index.columns; ++key) {
            keys[key] = values[index.attributes[key] - 1];
            key_nulls[key] = nulls[index.attributes[key] - 1];
        }
        // A B-tree asks nothing of the index's description, but for what it has itself.
        index_insert(indexes_[n], keys, key_nulls, &tuple->t_self, relation_, index.unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false,
                     nullptr);
    }
}

}  // namespace pulse::pg
