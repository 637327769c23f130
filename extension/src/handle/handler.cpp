// Reading _pulse.handlers by its index, without the planner, and the copy in this process. The snapshot is the latest one: nobody needs to
// ask here whether the index, made anew by hand, may be used by an older one.
#include "handle/handler.hpp"

#include "pg/run_as.hpp"
#include "pg/watched.hpp"

#include <algorithm>
#include <map>

namespace pulse::handle {

namespace {

constexpr int kFunction = 3, kKey = 4, kExtension = 5;  // columns

std::map<std::string, std::shared_ptr<Handler>> *known = nullptr;  // namespace, NUL, event; never freed with the process
constinit pg::WatchedTables watched{"handlers"};

// Of functions, schemas, roles and memberships PostgreSQL itself tells.
void on_syscache(Datum, int, uint32) { watched.forget(); }

struct Found {
    Datum function = 0, key = 0;  // copies; 0: none
    bool told = false;            // of changes
};

Datum column(HeapTuple tuple, Relation table, int number) {
    bool null;
    const Datum value = heap_getattr(tuple, number, RelationGetDescr(table), &null);
    return null ? Datum(0) : datumCopy(value, false, -1);
}

// The SQL of 1.0 has no trigger, and somebody may have disabled it.
bool tells_of_changes(Relation table) {
    const TriggerDesc *triggers = table->trigdesc;
    return triggers != nullptr && std::any_of(triggers->triggers, triggers->triggers + triggers->numtriggers,
                                              [](const Trigger &one) { return one.tgenabled != TRIGGER_DISABLED; });
}

// May ereport: inside call() only. A pack's row counts while the pack is there.
Found find(Datum name, Datum event) {
    const Oid schema = get_namespace_oid("_pulse", false);
    Relation table = table_open(get_relname_relid("handlers", schema), AccessShareLock);
    const RegProcedure equal = get_opcode(TextEqualOperator);
    ScanKeyData keys[2];
    ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID, equal, name);
    ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID, equal, event);
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    SysScanDesc scan = systable_beginscan(table, get_relname_relid("handlers_key", schema), true, snapshot, 2, keys);
    Found found;
    found.told = tells_of_changes(table);
    for (HeapTuple tuple; HeapTupleIsValid(tuple = systable_getnext(scan));) {
        const Datum extension = column(tuple, table, kExtension);
        if (extension != 0 && (found.function != 0 || !OidIsValid(get_extension_oid(TextDatumGetCString(extension), true)))) continue;
        found.function = column(tuple, table, kFunction);
        found.key = column(tuple, table, kKey);
        if (extension == 0) break;
    }
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(table, NoLock);
    return found;
}

MemoryContext new_memory() {
    return pg::call([] { return AllocSetContextCreate(CurrentMemoryContext, "pulse handler", ALLOCSET_SMALL_SIZES); });
}

}  // namespace

Prepared::Prepared(const std::string &function) : memory_(new_memory()), callable_(function, rooms::kHandlerShape, memory_) {}

// One that is not kept goes with the call's memory: what failed may be referred to until the transaction is rolled back.
Prepared::~Prepared() {
    if (kept_) MemoryContextDelete(memory_);
}

void Prepared::use() {
    MemoryContextSetParent(memory_, CurrentMemoryContext);
    kept_ = false;
}

void Prepared::keep() {
    MemoryContextSetParent(memory_, CacheMemoryContext);
    kept_ = true;
}

std::unique_ptr<Prepared> Handler::take(Oid owner) {
    if (prepared) {
        prepared->use();
        return std::move(prepared);
    }
    const pg::OwnerScope scope(owner);
    return std::make_unique<Prepared>(function);
}

void Handler::put_back(std::unique_ptr<Prepared> used) {
    used->keep();
    prepared = std::move(used);
}

std::shared_ptr<Handler> find_handler(const std::string &name, const std::string &event) {
    if (known == nullptr) known = new std::map<std::string, std::shared_ptr<Handler>>;
    pg::call([] { AcceptInvalidationMessages(); });  // in a long transaction of SQL callers nothing else may hear of changes
    watched.refresh([](std::optional<Oid>) { known->clear(); });
    std::string place = std::string(name).append(1, '\0').append(event);
    if (const auto at = known->find(place); at != known->end()) return at->second;
    const Datum wanted[] = {pg::text_datum(name), pg::text_datum(event)};
    const Found found = pg::call([&] { return find(wanted[0], wanted[1]); });
    if (found.function == 0) return nullptr;
    const auto handler = std::make_shared<Handler>(Handler{pg::to_string(found.function), std::nullopt});
    if (found.key != 0) handler->key = pg::to_string(found.key);
    if (found.told) known->emplace(std::move(place), handler);  // what changed meanwhile is heard of, and it goes the next time
    return handler;
}

void init_handlers() {
    watched.init();
    for (const int cache : {PROCOID, NAMESPACEOID, AUTHOID, AUTHMEMROLEMEM}) CacheRegisterSyscacheCallback(cache, on_syscache, Datum(0));
}

}  // namespace pulse::handle

using namespace pulse;

// The trigger of the table.
PULSE_FN(pulse_handlers_changed) { return pg::tell_table_changed(fcinfo); }
