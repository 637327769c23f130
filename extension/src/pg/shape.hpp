// Rows that go into a table of ours without an executor. What all rows of a shape have in common, such as a column that is always null,
// says which indexes they enter: that is found out once, where an executor opens all indexes and evaluates their predicates for each row.
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

class Shape {
    static constexpr int kMost = 8;  // indexes

public:
    // Looks at the indexes of `relation`, which is open with the lock of an insert, as they are from now on until its relcache entry is
    // invalidated. Rows of the shape are as `values` and `nulls` say in the columns `fixed` (numbers from 1); the others are anything. May
    // ereport: inside call().
    void learn(Relation relation, std::initializer_list<int> fixed, const Datum *values, const bool *nulls);
    // False: only an executor can tell where such rows go, since an index has an expression, asks for another column, or is no B-tree.
    bool is_known() const { return known_; }

    // Its indexes, open for inserts until it goes out of scope; their locks stay until the transaction ends. After an Error the end of the
    // transaction cleans up.
    class Target {
    public:
        Target(const Shape &shape, Relation relation);
        ~Target();
        Target(const Target &) = delete;
        Target &operator=(const Target &) = delete;
        // `values` and `nulls` are as many as the table has columns. Leaves a copy of the row in the current memory context. May ereport:
        // inside call().
        void insert(Datum *values, bool *nulls);

    private:
        const Shape &shape_;
        Relation relation_;
        Relation indexes_[kMost];
        int exceptions_;
    };

private:
    struct Index {
        Oid oid;
        bool unique;
        int columns;
        AttrNumber attributes[INDEX_MAX_KEYS];
    };
    bool learn_index(Relation index, Relation relation, const Bitmapset *fixed, TupleTableSlot *row, EState *estate);

    bool known_ = false;
    int count_ = 0;
    Index indexes_[kMost];
};

}  // namespace pulse::pg
