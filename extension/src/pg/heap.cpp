// heap_insert, heap_update, heap_delete, and the indexes of the row.
#include "pg/heap.hpp"

#include <algorithm>

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
        row_memory_ = AllocSetContextCreate(CurrentMemoryContext, "pulse row", ALLOCSET_SMALL_SIZES);
    });
}

Inserter::~Inserter() {
    if (std::uncaught_exceptions() != exceptions_) return;
    for (int n = 0; n < made_; ++n) ExecDropSingleTupleTableSlot(slots_[n]);
    ExecCloseIndices(target_);
    FreeExecutorState(estate_);
    MemoryContextDelete(row_memory_);
}

// In row_memory_, which is the current context.
HeapTuple Inserter::form(Datum *values, bool *nulls, int count) const {
    const TupleDesc desc = RelationGetDescr(relation_);
    if (desc->natts <= count) return heap_form_tuple(desc, values, nulls);
    // A later version's column, or what stays null.
    auto *all_values = static_cast<Datum *>(palloc0(sizeof(Datum) * static_cast<size_t>(desc->natts)));
    auto *all_nulls = static_cast<bool *>(palloc(sizeof(bool) * static_cast<size_t>(desc->natts)));
    for (int i = 0; i < desc->natts; ++i) {
        all_nulls[i] = i >= count || nulls[i];
        if (i < count) all_values[i] = values[i];
    }
    return heap_form_tuple(desc, all_values, all_nulls);
}

void Inserter::insert(Datum *values, bool *nulls, int count) {
    add(values, nulls, count);
    flush();
}

void Inserter::add(Datum *values, bool *nulls, int count) {
    if (waiting_ == made_) {
        const MemoryContext before = MemoryContextSwitchTo(estate_->es_query_cxt);
        slots_[made_++] = MakeSingleTupleTableSlot(RelationGetDescr(relation_), &TTSOpsHeapTuple);
        MemoryContextSwitchTo(before);
    }
    const MemoryContext before = MemoryContextSwitchTo(row_memory_);
    HeapTuple tuple = form(values, nulls, count);
    TupleTableSlot *slot = slots_[waiting_++];
    ExecStoreHeapTuple(tuple, slot, true);
    slot->tts_tableOid = RelationGetRelid(relation_);
    bytes_ += tuple->t_len;
    MemoryContextSwitchTo(before);
    if (waiting_ == kMostAtOnce || bytes_ > kMostBytesAtOnce) flush();  // only now: the values may lie in row_memory_
}

void Inserter::flush() {
    const MemoryContext before = MemoryContextSwitchTo(row_memory_);
    if (waiting_ == 1) {
        bool unused;
        HeapTuple tuple = ExecFetchSlotHeapTuple(slots_[0], false, &unused);
        heap_insert(relation_, tuple, GetCurrentCommandId(true), 0, nullptr);
        slots_[0]->tts_tid = tuple->t_self;
    } else if (waiting_ > 1) {
        heap_multi_insert(relation_, slots_, waiting_, GetCurrentCommandId(true), 0, nullptr);
    }
    for (int n = 0; n < waiting_; ++n) {
        if (target_->ri_NumIndices > 0) {
            list_free(ExecInsertIndexTuples(target_, slots_[n], estate_, false, false, nullptr, NIL));
            ResetPerTupleExprContext(estate_);
        }
        ExecClearTuple(slots_[n]);
    }
    waiting_ = 0;
    bytes_ = 0;
    MemoryContextSwitchTo(before);
    MemoryContextReset(row_memory_);
}

PlacedRows::PlacedRows(Relation relation) : relation_(relation), exceptions_(std::uncaught_exceptions()) {
    call([&] {
        blocks_ = static_cast<BlockNumber>(table_relation_size(relation_, MAIN_FORKNUM) / BLCKSZ);
        found_ = table_slot_create(relation_, nullptr);
        row_memory_ = AllocSetContextCreate(CurrentMemoryContext, "pulse row", ALLOCSET_SMALL_SIZES);
    });
}

PlacedRows::~PlacedRows() {
    if (std::uncaught_exceptions() != exceptions_) return;
    ExecDropSingleTupleTableSlot(found_);
    if (estate_ != nullptr) {
        ExecDropSingleTupleTableSlot(made_);
        ExecCloseIndices(target_);
        FreeExecutorState(estate_);
    }
    MemoryContextDelete(row_memory_);
}

void PlacedRows::open_indexes() {
    estate_ = CreateExecutorState();
    target_ = makeNode(ResultRelInfo);
    InitResultRelInfo(target_, relation_, 0, nullptr, 0);
    ExecOpenIndices(target_, false);
    made_ = MakeSingleTupleTableSlot(RelationGetDescr(relation_), &TTSOpsHeapTuple);
    // Exclusion constraints and deferrable ones that a DBA may have added are the executor's business.
    const auto is_plain = [](const Relation index, const IndexInfo *info) {
        return info->ii_ExclusionOps == nullptr && index->rd_index->indimmediate;
    };
    for (int n = 0; n < target_->ri_NumIndices; ++n)
        plain_ &= is_plain(target_->ri_IndexRelationDescs[n], target_->ri_IndexRelationInfo[n]);
}

// As ExecInsertIndexTuples() does, but a key that is what it was is not looked for: it is as unique as it was.
void PlacedRows::insert_index_entries(int count, const int *columns) {
    const auto is_changed = [&](int column) { return std::find(columns, columns + count, column) != columns + count; };
    const auto keeps_key = [&](const IndexInfo *index) {
        const AttrNumber *keys = index->ii_IndexAttrNumbers;
        return index->ii_Expressions == NIL && std::none_of(keys, keys + index->ii_NumIndexKeyAttrs, is_changed);
    };
    ExprContext *context = GetPerTupleExprContext(estate_);
    context->ecxt_scantuple = made_;
    for (int n = 0; n < target_->ri_NumIndices; ++n) {
        const Relation index = target_->ri_IndexRelationDescs[n];
        IndexInfo *info = target_->ri_IndexRelationInfo[n];
        if (index == nullptr || !info->ii_ReadyForInserts) continue;
        if (info->ii_Predicate != NIL) {
            if (info->ii_PredicateState == nullptr) info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, estate_);
            if (!ExecQual(info->ii_PredicateState, context)) continue;
        }
        Datum values[INDEX_MAX_KEYS];
        bool nulls[INDEX_MAX_KEYS];
        FormIndexDatum(info, made_, estate_, values, nulls);
        const bool same = keeps_key(info);
        const bool may_clash = index->rd_index->indisunique && !(same && info->ii_Predicate == NIL);
        index_insert(index, values, nulls, &made_->tts_tid, relation_, may_clash ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, same, info);
    }
}

HeapTuple PlacedRows::fetch(const ItemPointerData &place) {
    ItemPointerData at = place;
    if (ItemPointerGetBlockNumberNoCheck(&at) >= blocks_) return nullptr;  // the table was truncated since it was told
    if (!table_tuple_fetch_row_version(relation_, &at, GetActiveSnapshot(), found_)) return nullptr;
    bool made;
    return ExecFetchSlotHeapTuple(found_, false, &made);
}

bool PlacedRows::update(const ItemPointerData &place, int count, int *columns, Datum *values, bool *nulls) {
    if (estate_ == nullptr) open_indexes();
    const MemoryContext before = MemoryContextSwitchTo(row_memory_);
    bool unused;
    ItemPointerData at = place;
    HeapTuple made = heap_modify_tuple_by_cols(ExecFetchSlotHeapTuple(found_, false, &unused), RelationGetDescr(relation_), count, columns,
                                               values, nulls);
    TM_FailureData failure;
    LockTupleMode mode;
    // heap_update() that is not to wait tells of a row that somebody holds, as heap_delete() does, but asserts that nobody asks it to: that
    // would be the end of a server built with assertions. There we lock the row first and then wait for nobody; elsewhere this would be a
    // write more for each row. (It is the lock of an update that leaves keys alone, as ours do.)
#ifdef USE_ASSERT_CHECKING
    constexpr bool waits = true;
    const bool held = table_tuple_lock(relation_, &at, GetActiveSnapshot(), found_, GetCurrentCommandId(true), LockTupleNoKeyExclusive,
                                       LockWaitSkip, 0, &failure) != TM_Ok;
#else
    constexpr bool waits = false, held = false;
#endif
    const bool done =
        !held && heap_update(relation_, &at, made, GetCurrentCommandId(true), InvalidSnapshot, waits, &failure, &mode) == TM_Ok;
    made_at_ = made->t_self;
    if (done && !HeapTupleIsHeapOnly(made)) {
        ExecStoreHeapTuple(made, made_, false);
        made_->tts_tableOid = RelationGetRelid(relation_);
        if (plain_)
            insert_index_entries(count, columns);
        else
            list_free(ExecInsertIndexTuples(target_, made_, estate_, true, false, nullptr, NIL));
        ExecClearTuple(made_);
        ResetPerTupleExprContext(estate_);
    }
    MemoryContextSwitchTo(before);
    MemoryContextReset(row_memory_);
    return done;
}

bool PlacedRows::remove(const ItemPointerData &place) {
    ItemPointerData at = place;
    TM_FailureData failure;
    return heap_delete(relation_, &at, GetCurrentCommandId(true), InvalidSnapshot, false, &failure, false) == TM_Ok;
}

void insert_row(Relation relation, Datum *values, bool *nulls, int count) {
    Inserter inserter(relation);
    call([&] { inserter.insert(values, nulls, count); });
}

}  // namespace pulse::pg
