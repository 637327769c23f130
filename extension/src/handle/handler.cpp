// Reading _pulse.handlers by its index, without the planner. Nobody asks here whether the index may be used: after a REINDEX by hand, a
// transaction whose snapshot is older than that could miss a handler that changed meanwhile, which a plan would find by reading all.
#include "handle/handler.hpp"

#include "pg/text.hpp"

namespace pulse::handle {

namespace {

constexpr int kFunction = 3, kKey = 4, kExtension = 5;  // columns

struct Found {
    Datum function = 0, key = 0;  // copies; 0: none
};

Datum column(HeapTuple tuple, Relation table, int number) {
    bool null;
    const Datum value = heap_getattr(tuple, number, RelationGetDescr(table), &null);
    return null ? Datum(0) : datumCopy(value, false, -1);
}

// May ereport: inside call() only. A pack's row counts while the pack is there.
Found find(Datum name, Datum event) {
    const Oid schema = get_namespace_oid("_pulse", false);
    Relation table = table_open(get_relname_relid("handlers", schema), AccessShareLock);
    const RegProcedure equal = get_opcode(TextEqualOperator);
    ScanKeyData keys[2];
    ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID, equal, name);
    ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID, equal, event);
    SysScanDesc scan = systable_beginscan(table, get_relname_relid("handlers_key", schema), true, GetActiveSnapshot(), 2, keys);
    Found found;
    for (HeapTuple tuple; HeapTupleIsValid(tuple = systable_getnext(scan));) {
        const Datum extension = column(tuple, table, kExtension);
        if (extension != 0 && (found.function != 0 || !OidIsValid(get_extension_oid(TextDatumGetCString(extension), true)))) continue;
        found.function = column(tuple, table, kFunction);
        found.key = column(tuple, table, kKey);
        if (extension == 0) break;
    }
    systable_endscan(scan);
    table_close(table, NoLock);
    return found;
}

}  // namespace

std::optional<Handler> find_handler(const std::string &name, const std::string &event) {
    const Datum wanted[] = {pg::text_datum(name), pg::text_datum(event)};
    const Found found = pg::call([&] { return find(wanted[0], wanted[1]); });
    if (found.function == 0) return std::nullopt;
    Handler handler{pg::to_string(found.function), std::nullopt};
    if (found.key != 0) handler.key = pg::to_string(found.key);
    return handler;
}

}  // namespace pulse::handle
