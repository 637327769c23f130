// Direct multi-insert into one partition and its indexes: what the dispatcher writes deliveries and ticks with, at twice
// the speed of SQL. Checks nothing: the caller keeps NOT NULL; the tables have no constraints, triggers or generated columns.
// Refuses indexes that would need an executor (unique, partial, on expressions).
// Lives inside one transaction. All of it may throw pg::Error.
#pragma once

#include "pg/guard.hpp"

namespace pulse::dispatch {

class TableWriter {
public:
    static constexpr int kMaxRows = 500;
    static constexpr int kMaxIndexes = 4;

    // Takes over an open relation; closed by close(), or by the end of a failed transaction.
    explicit TableWriter(Relation relation);
    // The values must live until flush(); by-reference ones are not copied.
    void add(std::initializer_list<Datum> values, std::initializer_list<bool> nulls = {});
    void flush();
    // Forgets what was added and not flushed (its subtransaction was rolled back).
    void discard();
    void close();

private:
    Relation relation_;
    TupleDesc desc_ = nullptr;  // a copy: slots made in a subtransaction must not pin the relation's own
    int index_count_ = 0;
    Relation indexes_[kMaxIndexes];
    IndexInfo *index_infos_[kMaxIndexes];
    TupleTableSlot **slots_ = nullptr;
    int slots_made_ = 0;
    int used_ = 0;
};

}  // namespace pulse::dispatch
