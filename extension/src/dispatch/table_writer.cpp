// heap_multi_insert from virtual slots, then the index entries one by one.
#include "dispatch/table_writer.hpp"

namespace pulse::dispatch {

TableWriter::TableWriter(Relation relation) : relation_(relation) {
    pg::call([&] {
        List *oids = RelationGetIndexList(relation_);
        if (list_length(oids) > kMaxIndexes) elog(ERROR, "relation \"%s\" has too many indexes", RelationGetRelationName(relation_));
        ListCell *cell;
        foreach (cell, oids) {
            indexes_[index_count_] = index_open(lfirst_oid(cell), RowExclusiveLock);
            index_infos_[index_count_] = BuildIndexInfo(indexes_[index_count_]);
            const IndexInfo *info = index_infos_[index_count_];
            if (info->ii_Expressions != NIL || info->ii_Predicate != NIL || info->ii_Unique || info->ii_ExclusionOps != nullptr)
                ereport(ERROR,
                        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                         errmsg("index \"%s\" is unique, partial or has expressions", RelationGetRelationName(indexes_[index_count_])),
                         errhint("The dispatcher serves only plain indexes on this table: drop it.")));
            ++index_count_;
        }
        desc_ = CreateTupleDescCopy(RelationGetDescr(relation_));
        slots_ = static_cast<TupleTableSlot **>(palloc(sizeof(TupleTableSlot *) * kMaxRows));
    });
}

void TableWriter::add(std::initializer_list<Datum> values, std::initializer_list<bool> nulls) {
    if (used_ == kMaxRows) flush();
    pg::call([&] {
        if (used_ == slots_made_) {
            slots_[used_] = MakeSingleTupleTableSlot(desc_, &TTSOpsVirtual);
            ++slots_made_;
        }
        TupleTableSlot *slot = slots_[used_];
        ExecClearTuple(slot);
        int column = 0;
        for (Datum value : values) {
            slot->tts_values[column] = value;
            slot->tts_isnull[column] = false;
            ++column;
        }
        for (; column < desc_->natts; ++column) slot->tts_isnull[column] = true;  // of a later version
        column = 0;
        for (bool null : nulls) slot->tts_isnull[column++] = null;
        ExecStoreVirtualTuple(slot);
    });
    ++used_;
}

void TableWriter::flush() {
    if (used_ == 0) return;
    pg::call([&] {
        // The slots stay virtual: the tuples formed from them belong to the current memory context, and a row's
        // place comes back in tts_tid, also when the row was toasted on its way.
        heap_multi_insert(relation_, slots_, used_, GetCurrentCommandId(true), 0, nullptr);
        Datum values[INDEX_MAX_KEYS];
        bool nulls[INDEX_MAX_KEYS];
        for (int i = 0; i < used_; ++i) {
            for (int n = 0; n < index_count_; ++n) {
                FormIndexDatum(index_infos_[n], slots_[i], nullptr, values, nulls);
                index_insert(indexes_[n], values, nulls, &slots_[i]->tts_tid, relation_, UNIQUE_CHECK_NO, false, index_infos_[n]);
            }
        }
    });
    used_ = 0;
}

void TableWriter::discard() { used_ = 0; }

void TableWriter::close() {
    pg::call([&] {
        for (int i = 0; i < slots_made_; ++i) ExecDropSingleTupleTableSlot(slots_[i]);
        for (int n = 0; n < index_count_; ++n) index_close(indexes_[n], NoLock);
        table_close(relation_, NoLock);
    });
}

}  // namespace pulse::dispatch
