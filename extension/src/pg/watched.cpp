// The relcache callback, and the tables by their names.
#include "pg/watched.hpp"

#include <utility>

namespace pulse::pg {

namespace {

constinit WatchedTables *first = nullptr;

}  // namespace

void WatchedTables::on_relcache(Datum, Oid relation) {
    for (WatchedTables *watched = first; watched != nullptr; watched = watched->next_) {
        watched->disturbed_ = true;
        for (const Oid table : watched->tables_)
            if (!OidIsValid(relation) || relation == table) watched->valid_ = false;
    }
}

// One callback for all: PostgreSQL has room for ten in a process, for all extensions together.
void WatchedTables::init() {
    if (first == nullptr) CacheRegisterRelcacheCallback(on_relcache, Datum(0));
    next_ = std::exchange(first, this);
}

std::optional<Oid> WatchedTables::find() {
    Oid owner = InvalidOid;
    const bool all = call([&] {
        const Oid schema = get_namespace_oid("_pulse", true);
        if (!OidIsValid(schema)) return false;
        for (std::size_t n = 0; n < kMost && names_[n] != nullptr; ++n) {
            tables_[n] = get_relname_relid(names_[n], schema);
            if (!OidIsValid(tables_[n])) return false;
        }
        HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(tables_[0]));
        if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for relation %u", tables_[0]);
        owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
        ReleaseSysCache(tuple);
        return true;
    });
    return all ? std::optional(owner) : std::nullopt;
}

Datum tell_table_changed(FunctionCallInfo fcinfo) {
    call([&] {
        if (!CALLED_AS_TRIGGER(fcinfo)) ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED), errmsg("this is a trigger")));
        CacheInvalidateRelcache(reinterpret_cast<TriggerData *>(fcinfo->context)->tg_relation);
    });
    return Datum(0);
}

}  // namespace pulse::pg
