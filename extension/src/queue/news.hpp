// What a transaction tells the foreman: remembered until its commit, then written into shared memory, and the foreman is woken. A
// rolled-back transaction tells nothing; of a rolled-back savepoint it may tell too much, which costs one look.
#pragma once

#include "pg/guard.hpp"

namespace pulse::queue {

// A job waits, or waits earlier than before. Of many in one lane (queue, priority, channel) the first (run_at, id) is enough.
void tell_waiting(std::string_view queue, int priority, std::string_view channel, TimestampTz run_at, int64 id);
void tell_look();            // anything may wait anywhere, or nothing any more where something did
void tell_settings();        // queues, their states, kinds or schedules have changed
void tell_cancel(int64 id);  // cancelled_at was set while it ran
void tell_ended(int64 id);   // an attempt of somebody outside has ended, or its lease was changed

void init_news();  // once a process, from _PG_init

}  // namespace pulse::queue
