// What is configured for queues and kinds of jobs: this process's copy of the tables, read again after somebody changed them. The
// application's word wins over a pack's, value by value. Inside a transaction, as anybody. May throw pg::Error. References live until the
// next call.
#pragma once

#include "pg/spi.hpp"
#include "queue/backoff.hpp"

namespace pulse::queue {

struct QueueSettings {
    std::optional<int> concurrency, rate, max_attempts;
    std::int64_t per = 0;                        // µs
    std::optional<double> backoff, backoff_max;  // seconds
    bool events = false, paused = false;
};

struct KindSettings {
    std::string channel;
    std::optional<std::string> function;
    std::optional<int> max_attempts;
    std::optional<double> backoff, backoff_max;
};

// The defaults when nothing is configured.
const QueueSettings &queue_settings(std::string_view queue);
// null: there is no such kind. sql, fcm, sms and webhook are there without a row.
const KindSettings *kind_settings(std::string_view kind);
std::string known_kinds();  // for an error's hint
// The kind's, else the queue's, else the default.
Backoff backoff_of(std::string_view queue, std::string_view kind);

// Reads them anew the next time. For who is woken by a commit that changed them: its invalidation comes after the wake.
void forget_settings();
void init_settings();  // once a process, from _PG_init

}  // namespace pulse::queue
