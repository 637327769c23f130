// _PG_init: settings, shared memory, workers, hooks; nothing else.
#include "dispatch/epoch.hpp"
#include "dispatch/faults.hpp"
#include "dispatch/launcher.hpp"
#include "dispatch/progress.hpp"
#include "dispatch/retention.hpp"
#include "dispatch/utility_hook.hpp"
#include "ephemeral/memory.hpp"
#include "ephemeral/outbox.hpp"
#include "guc.hpp"
#include "handle/handler.hpp"
#include "handle/quiet.hpp"
#include "limits/classes.hpp"
#include "limits/table.hpp"
#include "pg/catalog.hpp"
#include "pg/commit_wake.hpp"
#include "pg/guard.hpp"
#include "pg/leftovers.hpp"
#include "pg/log_state.hpp"
#include "pg/run_as.hpp"
#include "pg/shmem.hpp"
#include "queue/function.hpp"
#include "queue/job_table.hpp"
#include "queue/news.hpp"
#include "queue/settings.hpp"
#include "queue/shared.hpp"
#include "rows/trigger_cache.hpp"

extern "C" {
PG_MODULE_MAGIC;
PULSE_EXPORT void _PG_init(void);
}

void _PG_init(void) {
    pulse::dispatch::faults::define();
    pulse::guc::define();
    pulse::pg::init_commit_wake();
    pulse::pg::init_catalog();
    pulse::rows::TriggerCaches::init();
    pulse::pg::init_run_as();
    pulse::pg::init_leftovers();
    pulse::handle::init_quiet();
    pulse::handle::init_handlers();
    pulse::ephemeral::init_outbox();
    pulse::limits::init_classes();
    pulse::queue::init_news();
    pulse::queue::init_settings();
    pulse::queue::init_job_table();
    pulse::queue::init_functions();
    pulse::dispatch::init_epoch();
    pulse::dispatch::init_progress();
    pulse::dispatch::init_retention();
    if (!process_shared_preload_libraries_in_progress) return;
    pulse::pg::request_shmem();
    pulse::ephemeral::request_memory();
    pulse::limits::init_table();
    pulse::queue::request_memory();
    pulse::dispatch::register_launcher();
    pulse::dispatch::init_utility_hook();
}

// The default of pulse.events.slot: asked for each row that comes by INSERT, so it announces the row too.
PULSE_FN(pulse_current_slot) {
    pulse::pg::wake_at_commit(pulse::pg::Wake::kDispatcher);
    return Int16GetDatum(pulse::pg::current_slot());
}
