// Rows straight into a table: no plan, no triggers, no constraints, no privileges asked, no row security. What differs between versions of
// PostgreSQL's executor stays behind this.
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

// The OID of a relation of the schema _pulse; InvalidOid: the extension is not there. May ereport: inside call().
Oid own_relation(const char *name);

// A table of that schema, open for inserts until it goes out of scope; the lock stays until the transaction ends. Raises when it is not
// there.
class OwnTable {
public:
    explicit OwnTable(const char *name);
    ~OwnTable();
    OwnTable(const OwnTable &) = delete;
    OwnTable &operator=(const OwnTable &) = delete;
    Relation get() const { return table_; }

private:
    Relation table_ = nullptr;
    int exceptions_;
};

// Opens what inserting needs once for many rows. `relation` is open, with the lock of an insert. After an Error the end of the transaction
// cleans up.
class Inserter {
public:
    explicit Inserter(Relation relation);
    ~Inserter();
    Inserter(const Inserter &) = delete;
    Inserter &operator=(const Inserter &) = delete;

    // Where the values of a row may be made; emptied by insert() and flush().
    MemoryContext row_memory() const { return row_memory_; }
    // `values` and `nulls` have `count` elements; further columns of the table become null. May ereport: inside call().
    void insert(Datum *values, bool *nulls, int count);
    // The same for a row that is written together with others, page by page: by flush(), which is to be called after the last, or before
    // when they are many.
    void add(Datum *values, bool *nulls, int count);
    void flush();

private:
    static constexpr int kMostAtOnce = 64;
    static constexpr std::size_t kMostBytesAtOnce = 64 * 1024;
    HeapTuple form(Datum *values, bool *nulls, int count) const;

    Relation relation_;
    int exceptions_;
    EState *estate_ = nullptr;
    ResultRelInfo *target_ = nullptr;
    TupleTableSlot *slots_[kMostAtOnce];
    int made_ = 0, waiting_ = 0;  // slots, and those with a row
    std::size_t bytes_ = 0;       // of these rows
    MemoryContext row_memory_ = nullptr;
};

// Versions of rows by their place (ctid), as the active snapshot sees them. `relation` is open, with the lock of an update. All of it may
// ereport: inside call(). After an Error the end of the transaction cleans up.
class PlacedRows {
public:
    explicit PlacedRows(Relation relation);
    ~PlacedRows();
    PlacedRows(const PlacedRows &) = delete;
    PlacedRows &operator=(const PlacedRows &) = delete;

    // Null when nothing that we see is there. Good until the next call.
    HeapTuple fetch(const ItemPointerData &place);
    // Of a version that was fetched. False: somebody has changed or locked it; nobody is waited for.
    bool update(const ItemPointerData &place, int count, int *columns, Datum *values, bool *nulls);
    bool remove(const ItemPointerData &place);
    // Where the last update has put the row.
    ItemPointerData made_at() const { return made_at_; }

private:
    void open_indexes();
    void insert_index_entries(int count, const int *columns);

    Relation relation_;
    int exceptions_;
    BlockNumber blocks_;  // as many there are at least while we have the lock
    TupleTableSlot *found_;
    EState *estate_ = nullptr;
    ResultRelInfo *target_ = nullptr;
    TupleTableSlot *made_ = nullptr;
    bool plain_ = true;  // its indexes: nothing but entries
    ItemPointerData made_at_ = {};
    MemoryContext row_memory_;
};

// One row. May raise.
void insert_row(Relation relation, Datum *values, bool *nulls, int count);

}  // namespace pulse::pg
