// Every pulse.* setting in one place: name, meaning, default, bounds, unit, who may set it.
#include "guc.hpp"

#include "pg/pg.hpp"

namespace pulse::guc {

char *databases = nullptr;
int max_payload = 1024 * 1024;
int ephemeral_memory = 4096;
int handler_timeout = 5000;
double notify_queue_threshold = 0.5;
int dispatch_max_gap = 8;
int dispatch_chunk = 20000;
int dispatch_safety_interval = 1000;
int retention = 24 * 3600;
int max_retention = 7 * 24 * 3600;
int housekeeping_interval = 10000;
int job_workers = 2;
int job_retention = 24 * 3600;
int limit_buckets = 65536;
bool warn_not_preloaded = true;
char *jwt_secret_file = nullptr;
char *traceparent = nullptr;

void define() {
    DefineCustomStringVariable("pulse.databases", "Databases that get a dispatcher and a job worker, separated by commas.",
                               "Names of databases in which CREATE EXTENSION pulse was or will be run.", &databases, "", PGC_SIGHUP,
                               GUC_LIST_INPUT, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("pulse.max_payload", "Largest payload of an event.", nullptr, &max_payload, 1024 * 1024, 1024, 64 * 1024 * 1024,
                            PGC_SUSET, GUC_UNIT_BYTE, nullptr, nullptr, nullptr);
    if (process_shared_preload_libraries_in_progress) {  // later nothing could come of them, and defining them would end the session
        DefineCustomIntVariable("pulse.ephemeral_memory", "Shared memory for ephemeral events on their way, throttles and samples.",
                                "When it is full, the oldest events are dropped and counted.", &ephemeral_memory, 4096, 128, 1024 * 1024,
                                PGC_POSTMASTER, GUC_UNIT_KB, nullptr, nullptr, nullptr);
        DefineCustomIntVariable("pulse.limit_buckets", "How many subjects of rate limits can be counted at once.",
                                "Shared memory of the server, about 60 bytes each.", &limit_buckets, 65536, 16, 16777216, PGC_POSTMASTER, 0,
                                nullptr, nullptr, nullptr);
    }
    DefineCustomIntVariable("pulse.handler_timeout", "Longest run of a handler, connect function or batch of policies.",
                            "0 means no limit.", &handler_timeout, 5000, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    DefineCustomRealVariable("pulse.notify_queue_threshold",
                             "Share of the NOTIFY queue in use above which bridges get wake-ups without events.", nullptr,
                             &notify_queue_threshold, 0.5, 0.0, 1.0, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("pulse.dispatch_max_gap", "Longest pause between two ticks under load, so that batches grow.",
                            "An idle dispatcher ticks at once.", &dispatch_max_gap, 8, 0, 1000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr,
                            nullptr);
    DefineCustomIntVariable("pulse.dispatch_chunk", "Most deliveries (rooms of events) of one dispatcher transaction.", nullptr,
                            &dispatch_chunk, 20000, 1, 1000000, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("pulse.dispatch_safety_interval", "How often an idle dispatcher looks without having been woken.",
                            "A safety net: every commit with events wakes the dispatcher.", &dispatch_safety_interval, 1000, 10, 3600000,
                            PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("pulse.retention", "How long dispatched events can be read again.",
                            "They are removed by slots, between this time and half as much again.", &retention, 24 * 3600, 1,
                            10 * 365 * 24 * 3600, PGC_SIGHUP, GUC_UNIT_S, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("pulse.max_retention", "How long a consumer that has not read them can hold events back.", nullptr,
                            &max_retention, 7 * 24 * 3600, 0, 10 * 365 * 24 * 3600, PGC_SIGHUP, GUC_UNIT_S, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("pulse.housekeeping_interval", "How often the dispatcher looks for what can be removed.", nullptr,
                            &housekeeping_interval, 10000, 10, 3600000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("pulse.job_workers", "How many workers run SQL jobs in each database.",
                            "Each needs one of max_worker_processes.", &job_workers, 2, 1, 16, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("pulse.job_retention", "How long finished jobs can be looked up.",
                            "They are removed by slots, between this time and three times as much. 0 keeps none.", &job_retention,
                            24 * 3600, 0, 10 * 365 * 24 * 3600, PGC_SIGHUP, GUC_UNIT_S, nullptr, nullptr, nullptr);
    DefineCustomBoolVariable("pulse.warn_not_preloaded", "Warn once a session when an event is published and pulse is not preloaded.",
                             nullptr, &warn_not_preloaded, true, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("pulse.jwt_secret_file", "File with the secret by which pulse.mint_token signs.",
                               "At least 32 bytes; a relative path is one in the data directory.", &jwt_secret_file, "", PGC_SUSET,
                               GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("pulse.traceparent", "W3C traceparent that events published from here on carry in their headers.",
                               "Within a call of the bridge it is the client's; what is no traceparent is ignored.", &traceparent, "",
                               PGC_USERSET, 0, nullptr, nullptr, nullptr);
    define_channels();
    MarkGUCPrefixReserved("pulse");
}

}  // namespace pulse::guc
