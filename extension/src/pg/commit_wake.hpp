// Wakes a worker of this database when the current transaction commits. Rolled-back transactions wake nobody; a
// prepared one is picked up at COMMIT PREPARED by the utility hook, or by the safety tick.
#pragma once

namespace pulse::pg {

// kLeases: the dispatcher, too, which is to end leases (DatabaseEntry::leases_due). kForeman: there may be jobs of which the queue's news
// say nothing.
enum class Wake : unsigned { kDispatcher = 1, kForeman = 2, kLeases = 4 };

void wake_at_commit(Wake who);  // cheap to call for each event
void init_commit_wake();        // once a process, from _PG_init

}  // namespace pulse::pg
