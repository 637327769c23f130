// The callbacks behind wake_at_commit. They run after the transaction left the proc array, so the woken worker's snapshot sees the rows;
// that of leases after its locks are gone, too, because who ends leases passes by what is locked.
#include "pg/commit_wake.hpp"

#include "pg/guard.hpp"
#include "pg/shmem.hpp"

namespace pulse::pg {

static unsigned wanted = 0;
static bool leases_wanted = false;  // of a transaction that is committed and still holds its locks

static void finish(XactEvent event) {
    const unsigned who = wanted;
    switch (event) {
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_PARALLEL_COMMIT: {
            wanted = 0;
            // Latches live in shared memory for good; an entry's pointer is written once a worker starts and read unlocked.
            if (DatabaseEntry *database = my_database()) {
                leases_wanted = (who & static_cast<unsigned>(Wake::kLeases)) != 0;
                if (who & static_cast<unsigned>(Wake::kDispatcher)) wake_dispatcher(database);
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

static void on_release(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *) {
    if (!leases_wanted || phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top_level) return;
    leases_wanted = false;
    if (!is_commit) return;
    callback("waking who ends leases", [] {
        DatabaseEntry *database = my_database();
        pg_atomic_write_u32(&database->leases_due, 1);
        wake_dispatcher(database);
    });
}

void wake_at_commit(Wake who) { wanted |= static_cast<unsigned>(who); }

void init_commit_wake() {
    RegisterXactCallback(on_xact, nullptr);
    RegisterResourceReleaseCallback(on_release, nullptr);
}

}  // namespace pulse::pg
