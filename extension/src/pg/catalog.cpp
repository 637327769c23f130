// Cached OIDs, thrown away by the relcache callback.
#include "pg/catalog.hpp"

#include "pg/log_state.hpp"

namespace pulse::pg {

static OwnTables tables;
static bool valid = false;
static bool disturbed = false;  // something changed while the names were looked up

static void on_relcache(Datum, Oid relation) {
    disturbed = true;
    if (!valid) return;
    bool ours = !OidIsValid(relation) || relation == tables.event_id;
    for (Oid events : tables.events) ours = ours || relation == events;
    if (ours) valid = false;
}

void init_catalog() { CacheRegisterRelcacheCallback(on_relcache, Datum(0)); }

const OwnTables &own_tables() {
    if (valid) return tables;
    call([] {
        OwnTables found{};
        disturbed = false;
        const Oid schema = get_namespace_oid("_pulse", true);
        bool all = OidIsValid(schema);
        for (int slot = 0; all && slot < kSlots; ++slot) {
            char name[NAMEDATALEN];
            pg_snprintf(name, sizeof name, "events_%d", slot);
            found.events[slot] = get_relname_relid(name, schema);
            all = OidIsValid(found.events[slot]);
        }
        if (all) found.event_id = get_relname_relid("event_id", schema);
        if (!all || !OidIsValid(found.event_id))
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                            errmsg("extension pulse is not installed in database \"%s\"", get_database_name(MyDatabaseId)),
                            errhint("Run CREATE EXTENSION pulse.")));
        tables = found;
        valid = !disturbed;  // else they are looked up again the next time
    });
    return tables;
}

Relation open_events(int16 *slot) {
    // Locking processes invalidations: the table may turn out to be gone and another in its place.
    for (;;) {
        *slot = current_slot();
        const Oid wanted = own_tables().events[*slot];
        Relation relation = call([&]() -> Relation {
            // Retention holds a slot only after another has become the current one: then that one is wanted, and nobody waits.
            if (!ConditionalLockRelationOid(wanted, RowExclusiveLock)) {
                if (current_slot() != *slot) return nullptr;
                LockRelationOid(wanted, RowExclusiveLock);
            }
            Relation opened = try_table_open(wanted, NoLock);
            if (opened == nullptr) UnlockRelationOid(wanted, RowExclusiveLock);
            return opened;
        });
        if (relation != nullptr && valid && tables.events[*slot] == wanted) return relation;
        if (relation != nullptr)
            call([&] { table_close(relation, RowExclusiveLock); });
        else
            valid = false;
    }
}

}  // namespace pulse::pg
