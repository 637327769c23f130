// The transaction callback behind wake_at_commit. It runs after the transaction left the proc array, so the woken
// worker's snapshot sees the rows.
#include "pg/commit_wake.hpp"

#include "pg/guard.hpp"
#include "pg/shmem.hpp"

namespace pulse::pg {

static unsigned wanted = 0;

static void finish(XactEvent event) {
    const unsigned who = wanted;
    switch (event) {
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_PARALLEL_COMMIT: {
            wanted = 0;
            // Latches live in shared memory for good; an entry's pointer is written once a worker starts and read unlocked.
            if (DatabaseEntry *database = my_database()) {
                // After the commit: a dispatcher that is awake would else look while the leases are still locked.
                if (who & static_cast<unsigned>(Wake::kLeases)) pg_atomic_write_u32(&database->leases_due, 1);
                if (who & (static_cast<unsigned>(Wake::kDispatcher) | static_cast<unsigned>(Wake::kLeases))) wake_dispatcher(database);
                if (who & static_cast<unsigned>(Wake::kForeman)) {
                    pg_atomic_write_u32(&database->jobs_untold, 1);
                    pg_memory_barrier();
                    wake(database->process(WorkerRole::kForeman).latch);
                }
            }
            break;
        }
        case XACT_EVENT_ABORT:
        case XACT_EVENT_PARALLEL_ABORT:
        case XACT_EVENT_PREPARE: wanted = 0; break;
        default: break;
    }
}

static void on_xact(XactEvent event, void *) {
    if (wanted != 0) callback("waking the workers of a commit", [=] { finish(event); });
}

void wake_at_commit(Wake who) { wanted |= static_cast<unsigned>(who); }

void init_commit_wake() { RegisterXactCallback(on_xact, nullptr); }

}  // namespace pulse::pg
