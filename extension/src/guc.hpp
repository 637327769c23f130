// Every pulse.* setting; the table with names, units and meaning is in guc.cpp and docs/reference/settings.md.
#pragma once

namespace pulse::guc {

extern char *databases;
extern int max_payload;                // bytes
extern int ephemeral_memory;           // kB
extern int handler_timeout;            // ms
extern double notify_queue_threshold;  // 0 … 1
extern int dispatch_max_gap;           // ms
extern int dispatch_chunk;             // deliveries
extern int dispatch_safety_interval;   // ms
extern int retention;                  // s
extern int max_retention;              // s
extern int housekeeping_interval;      // ms
extern int job_workers;                // of each database
extern int job_retention;              // s
extern int limit_buckets;
extern bool warn_not_preloaded;
extern char *jwt_secret_file;  // empty: none
extern char *traceparent;      // as it was set: may be anything

void define();  // from _PG_init

}  // namespace pulse::guc
