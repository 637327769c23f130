// The foreman's loop: hear, claim in one transaction, hand out, sleep until somebody tells or something is due.
#include "queue/foreman.hpp"

#include "queue/plans.hpp"

#include <cstring>

namespace pulse::queue {

// News are taken before a snapshot is: what is told later was committed later, or is seen already, which costs one more look.
void Foreman::hear() {
    static LaneNews news[kMostLanesTold];
    static int64 cancels[kMostCancels], ended[kMostEnded];
    int lane_count, cancel_count, ended_count;
    {
        const Locked locked(queue_);
        lane_count = queue_->lanes_told;
        cancel_count = queue_->cancels;
        ended_count = queue_->ended;
        std::copy_n(queue_->news, lane_count, news);
        std::copy_n(queue_->cancel_ids, cancel_count, cancels);
        std::copy_n(queue_->ended_ids, ended_count, ended);
        queue_->lanes_told = queue_->cancels = queue_->ended = 0;
        look_ |= queue_->look;
        if (queue_->settings) settings_ = schedules_ = true;
        check_outside_ |= queue_->reload_running;
        queue_->look = queue_->settings = queue_->reload_running = false;
    }
    if (pg_atomic_read_u32(&entry_->jobs_untold) != 0) {
        pg_atomic_write_u32(&entry_->jobs_untold, 0);
        pg_memory_barrier();
        look_ = settings_ = schedules_ = check_outside_ = true;  // whatever a prepared transaction may have told
    }
    for (int n = 0; n < lane_count; ++n)
        lanes_.told(news[n].queue, news[n].priority, static_cast<Class>(news[n].klass), {news[n].run_at, news[n].id});
    cancels_.insert(cancels_.end(), cancels, cancels + cancel_count);
    ended_outside_.insert(ended_outside_.end(), ended, ended + ended_count);
    look_at_clocks();
    const Places::Seen &seen = places_.look(waits_for_idle_);
    for (const AttemptId &attempt : seen.ended) attempt_ended(attempt);
    lost_.insert(lost_.end(), seen.lost.begin(), seen.lost.end());
    if (now_ >= stuck_until_ && !stuck_.empty()) {
        lost_.insert(lost_.end(), stuck_.begin(), stuck_.end());
        stuck_.clear();
    }
    read_requests();
}

// Rates are counted by a clock that nobody sets.
void Foreman::look_at_clocks() {
    const TimestampTz now = GetCurrentTimestamp();
    // Somebody has set the clock back: what was put off until a time that has gone would wait for it once more.
    constexpr int64 kStep = 50 * 1000;
    if (now < now_ - kStep) {
        look_ = schedules_ = true;
        lanes_.forget_pauses();
        keys_.look_soon();
        stuck_until_ = locked_until_ = chore_at_ = look_again_at_ = now;
    }
    now_ = now;
    steady_ = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool Foreman::has_work() const {
    return look_ || settings_ || check_outside_ || !cancels_.empty() || !ended_outside_.empty() || !lost_.empty() || !unfetched_.empty();
}

// When something is due that nobody will tell of.
TimestampTz Foreman::next_time() {
    const auto is_open = [&](const std::string &queue) { return has_room(queue); };
    TimestampTz next = lanes_.next_due([&](const LaneName &name, const Lanes::Lane &lane) { return open(name, lane); });
    next = std::min<TimestampTz>(next, keys_.next_look(is_open));
    for (auto &[name, state] : queues_)
        if (!state.paused && state.limiter.room(steady_) == 0)
            if (const int64 at = state.limiter.room_at(steady_); at != kNever) next = std::min<TimestampTz>(next, now_ + (at - steady_));
    if (!leases_.empty()) next = std::min(next, leases_.begin()->first);
    next = std::min({next, next_chore(), look_again_at_});
    if (!stuck_.empty()) next = std::min(next, stuck_until_);
    return std::min({next, places_.rebalance_at(), locked_until_});
}

// Tells who enqueues where nothing can begin anyway, so that they wake nobody. What they have told since it was heard last, for a queue
// that was shut then and is not now, has set no latch: then there is more to hear at once.
bool Foreman::may_sleep() {
    const Locked locked(queue_);
    queue_->shut_classes[static_cast<int>(Class::kSql)] = places_.room(Class::kSql) == 0 && !places_.has_idle();
    queue_->shut_classes[static_cast<int>(Class::kExternal)] =
        std::none_of(std::begin(requests_), std::end(requests_), [](const Request &request) { return request.open; });
    queue_->shut = 0;
    for (auto &[name, state] : queues_) {
        if (!state.paused && state.limiter.room(steady_) > 0) continue;
        if (queue_->shut < kMostShut && name.size() <= kMostQueueBytes)
            std::memcpy(queue_->shut_queues[queue_->shut++], name.c_str(), name.size() + 1);
    }
    return !has_more_than_jobs(*queue_) && std::all_of(queue_->news, queue_->news + queue_->lanes_told,
                                                       [this](const LaneNews &lane) { return is_shut(*queue_, lane.queue, lane.klass); });
}

void Foreman::wait_for_more() {
    const TimestampTz next = next_time();
    long wait = -1;
    if (next != DT_NOEND) {
        const TimestampTz now = GetCurrentTimestamp();
        wait = next <= now ? 0 : static_cast<long>(std::min<int64>((next - now) / 1000 + 1, 3600 * 1000));
    }
    if (wait != 0 && may_sleep()) {
        pg::call([] {
            XLogFlush(XactLastCommitEnd);  // claims that were given early, if nobody has done it yet
            pgstat_report_stat(true);
            pgstat_report_activity(STATE_IDLE, nullptr);
        });
        pg::wait(wait);
    } else {
        pg::serve_interrupts();
    }
}

void Foreman::run() {
    pin_plans_of_session();
    pg::call([] { SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_SESSION); });
    in_transaction([&] { recover(); });
    for (;;) {
        pg::call([] { ResetLatch(MyLatch); });
        hear();
        const auto is_open = [&](const std::string &queue) { return has_room(queue); };
        const bool due = lanes_.next_due([&](const LaneName &name, const Lanes::Lane &lane) { return open(name, lane); }) <= now_ ||
                         keys_.next_look(is_open) <= now_ || (!leases_.empty() && leases_.begin()->first <= now_) ||
                         look_again_at_ <= now_ || locked_until_ <= now_ || host_is_due();
        if (due || has_work()) {
            commit_claims();
            // Whoever waits for a lock resets the latch: what was told meanwhile is heard before we sleep.
            pg::call([] { SetLatch(MyLatch); });
            pg::call([] { pgstat_report_stat(false); });
        }
        answer_requests();
        if (next_chore() <= now_) {
            in_transaction([&] { do_chores(); });
            continue;
        }
        wait_for_more();
    }
}

static void leave(int, Datum piece) {
    pg::callback("the end of the foreman", [=] {
        auto *queue = reinterpret_cast<Queue *>(DatumGetPointer(piece));
        const Locked locked(queue);
        queue->foreman_pid = 0;
        queue->foreman = nullptr;
    });
}

[[noreturn]] static void serve(Oid database) {
    pg::DatabaseEntry *entry = pg::begin_worker(pg::WorkerRole::kForeman, database);
    Queue *queue = memory();
    if (queue == nullptr) pg::end_worker();
    {
        const Locked locked(queue);
        queue->foreman_pid = MyProcPid;
        queue->foreman = MyLatch;
    }
    on_shmem_exit(leave, PointerGetDatum(queue));
    Foreman(entry, queue).run();
}

}  // namespace pulse::queue

extern "C" PULSE_EXPORT void pulse_foreman_main(Datum argument);

void pulse_foreman_main(Datum argument) {
    pulse::pg::process([&] { pulse::queue::serve(pulse::pg::worker_database(argument)); });
}
