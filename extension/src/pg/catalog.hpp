// The OIDs of our own tables, looked up once and again after every change of them (DROP EXTENSION, a rolled-back CREATE).
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

constexpr int kSlots = 3;

struct OwnTables {
    Oid events[kSlots];
    Oid event_id;  // the sequence
};

// Raises when the extension is not in this database. Take the lock on a table before relying on it: table_open, then same() again.
const OwnTables &own_tables();
void init_catalog();  // once a process, from _PG_init

// Opens the partition that new events go to, for insert, and says which slot it is; the lock stays until the transaction ends.
Relation open_events(int16 *slot);

}  // namespace pulse::pg
