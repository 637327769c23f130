// The commit callback behind the news.
#include "queue/news.hpp"

#include "pg/commit_wake.hpp"

namespace pulse::queue {

void tell_waiting(std::string_view, int, TimestampTz, int64) { pg::wake_at_commit(pg::Wake::kWorker); }
void tell_settings() { pg::wake_at_commit(pg::Wake::kWorker); }
void tell_cancel(int64) { pg::wake_at_commit(pg::Wake::kWorker); }
void tell_ended(int64) { pg::wake_at_commit(pg::Wake::kWorker); }
void init_news() {}

}  // namespace pulse::queue
