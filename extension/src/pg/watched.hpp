// Tables of ours of which a process keeps a copy: whether it is to be read again. A trigger on each of them calls tell_table_changed(),
// which invalidates its relcache entry and so reaches every backend at the commit. Global objects only: callbacks run until the process
// ends.
#pragma once

#include "pg/guard.hpp"

#include <algorithm>

namespace pulse::pg {

class WatchedTables {
public:
    static constexpr std::size_t kMost = 3;
    // Of the schema _pulse; at most kMost.
    constexpr WatchedTables(std::initializer_list<const char *> names) { std::copy(names.begin(), names.end(), names_); }
    WatchedTables(const WatchedTables &) = delete;
    WatchedTables &operator=(const WatchedTables &) = delete;

    void init();  // once a process, from _PG_init
    void forget() { valid_ = false; }
    bool is_valid() const { return valid_; }

    // Calls read(owner) when they may have changed since the last time: the owner of the tables, or nullopt as long as they are not there,
    // between an update of the library and that of the SQL. It reads by a snapshot of its own: the statement's may be older than the
    // change.
    template <class F>
    void refresh(F &&read) {
        if (valid_) return;
        disturbed_ = false;
        const std::optional<Oid> owner = find();
        read(owner);
        valid_ = owner && !disturbed_;  // else again the next time: something changed while they were read
    }

private:
    static void on_relcache(Datum, Oid relation);
    std::optional<Oid> find();

    WatchedTables *next_ = nullptr;
    const char *names_[kMost] = {};
    Oid tables_[kMost] = {};
    bool valid_ = false;
    bool disturbed_ = false;
};

// The body of such a trigger.
Datum tell_table_changed(FunctionCallInfo fcinfo);

}  // namespace pulse::pg
