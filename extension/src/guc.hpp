// Every pulse.* setting; the table with names, units and meaning is in guc.cpp, guc_channels.cpp and docs/reference/settings.md.
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
// Of delivery channels, in guc_channels.cpp. Files and addresses may be empty: none.
extern char *fcm_url;
extern char *fcm_service_account_file;
extern char *oauth_url;
extern bool fcm_dry_run;
extern char *sms_url;
extern char *sms_auth_file;
extern char *sms_fallback_url;
extern char *sms_fallback_auth_file;
extern char *sms_status_url;
extern char *webhook_secret_file;
extern char *webhook_allow;
extern char *http_ca_file;
extern int http_concurrency;

void define();           // from _PG_init
void define_channels();  // by define()

}  // namespace pulse::guc
