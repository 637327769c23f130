// The HTTP worker: one process a database, for deliveries by fcm, sms and webhook. Loads attempts and asks kinds' builders for their
// arguments in short transactions; sends with no transaction open, many at once; ends them in batches, whatever has an answer by then.
// Waits for its latch and libcurl's descriptor together. A server that hangs holds its own deliveries only, and neither builders nor a
// standby that is away keep answers from being read.
#include "pg/worker.hpp"

#include "guc.hpp"
#include "pg/leftovers.hpp"
#include "pg/standby.hpp"
#include "queue/configured.hpp"
#include "queue/finish.hpp"
#include "queue/hosts.hpp"
#include "queue/inbox.hpp"
#include "queue/interrupts.hpp"
#include "queue/load.hpp"
#include "queue/run.hpp"

#include <algorithm>
#include <deque>
#include <list>
#include <unordered_map>

namespace pulse::queue {

namespace {

constexpr long kBuildWithin = 5000;          // ms, for a builder: the others wait for it
constexpr int64 kBuildingTime = 100 * 1000;  // µs: after so long no other builder is called before answers are read
constexpr long kStandbyPause = 10;           // ms between looks at what the standby has
// While answers keep coming, those that are there are ended together: when there are so many, or after so long.
constexpr std::size_t kMostUnended = 64;
constexpr int64 kUnendedTime = 5 * 1000;  // µs

Http::Hooks descriptors() {
    return {[] { return AcquireExternalFD(); }, [] { ReleaseExternalFD(); }};
}

class HttpWorker {
public:
    HttpWorker(pg::DatabaseEntry *entry, Slot *slot)
        : entry_(entry), slot_(slot), name_("http worker (pid " + std::to_string(MyProcPid) + ")"),
          deliveries_(descriptors(), guc::http_concurrency) {}
    [[noreturn]] void run();

private:
    // Committed here, and not yet by the standby that is asked for.
    struct Unconfirmed {
        XLogRecPtr position;
        std::vector<AttemptId> over;
    };
    void configure() { deliveries_.configure(configured_channels()); }
    void make_wait_set();
    void wait();
    struct Loaded {
        Attempt attempt;
        std::string host;
    };
    std::vector<AttemptId> to_load();
    std::vector<std::list<Loaded>::iterator> by_priority();
    void take();
    template <class May>
    void begin_some(May &&may);
    bool may_begin(const Loaded &job) const;
    void begin(Loaded job);
    void hear();
    void drive();
    bool ends_now() const;
    void finish_all();
    void tell_confirmed();
    [[noreturn]] void leave();
    template <class F>
    void in_transaction(F &&f);

    pg::DatabaseEntry *entry_;
    Slot *slot_;
    std::string name_;
    Deliveries deliveries_;
    std::list<Loaded> loaded_;  // not begun: in the order of the inbox
    std::vector<Delivered> unended_;
    TimestampTz unended_since_ = 0;  // of the first of them
    bool told_ = true;               // something has been, perhaps of attempts to load
    bool quiet_ = false;             // nothing had come in the last turn
    std::vector<AttemptId> begun_now_;
    Hosts hosts_;
    std::deque<Unconfirmed> unconfirmed_;
    WaitEventSet *wait_set_ = nullptr;
};

template <class F>
void HttpWorker::in_transaction(F &&f) {
    const Busy busy;
    if (!pg::extension_transaction(std::forward<F>(f))) pg::end_without_extension();
    pg::call([] { SetLatch(MyLatch); });  // a wait for a lock has reset it: what was told meanwhile is heard in one more turn
}

void HttpWorker::make_wait_set() {
    pg::call([&] {
        wait_set_ = CreateWaitEventSet(TopMemoryContext, 3);
        AddWaitEventToSet(wait_set_, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
        AddWaitEventToSet(wait_set_, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
        AddWaitEventToSet(wait_set_, WL_SOCKET_READABLE, deliveries_.descriptor(), nullptr, nullptr);
    });
}

void HttpWorker::wait() {
    const bool build =
        std::any_of(loaded_.begin(), loaded_.end(), [&](const Loaded &job) { return job.attempt.function && may_begin(job); });
    std::optional<long> due = build || !unended_.empty() ? 0 : deliveries_.due_in();
    if (!unconfirmed_.empty()) due = std::min(due.value_or(kStandbyPause), kStandbyPause);
    if (due == 0) return;
    pg::call([&] {
        if (deliveries_.size() == 0) {
            pgstat_report_stat(true);
            pgstat_report_activity(STATE_IDLE, nullptr);
        }
        WaitEvent event;
        WaitEventSetWait(wait_set_, due.value_or(-1), &event, 1, PG_WAIT_EXTENSION);
    });
}

// Through its kind's builder, when it has one, to its delivery; or at once to its end.
void HttpWorker::begin(Loaded loaded) {
    hosts_.started(loaded.host);
    Delivery delivery{.attempt = std::move(loaded.attempt), .started_at = GetCurrentTimestamp(), .host = std::move(loaded.host)};
    const Attempt &job = delivery.attempt;
    if (!job.function) return deliveries_.begin(std::move(delivery));
    const long limit = std::min(job.timeout_ms, kBuildWithin);
    CallResult built;
    {
        const Interruptible interruptible(job.id);
        built = call(job, *job.function, job.args, limit);
    }
    switch (built.what) {
        case CallResult::kDone:
            if (!built.result)
                return deliveries_.end(std::move(delivery),
                                       {.what = Outcome::kCancelled, .error = "its builder says that there is nothing to send"});
            delivery.built = std::move(built.result);
            return deliveries_.begin(std::move(delivery));
        case CallResult::kFailed: return deliveries_.end(std::move(delivery), retry(built.error));
        case CallResult::kDiscarded: return deliveries_.end(std::move(delivery), discard(built.error));
        case CallResult::kTimedOut:
            return deliveries_.end(std::move(delivery), retry("57014: its builder ran longer than " + std::to_string(limit) + " ms"));
        case CallResult::kInterrupted:
            if (slot_->cancel == job.id) return deliveries_.end(std::move(delivery), {.what = Outcome::kCancelled, .error = "cancelled"});
            if (stopped_by_job()) return deliveries_.end(std::move(delivery), retry(kEndedItsWorker));
            return deliveries_.end(std::move(delivery), stopping() ? Outcome{.what = Outcome::kReturned} : retry(built.error));
    }
}

// What waits here and is not loaded yet. What is loaded and waits here no more has been taken back.
std::vector<AttemptId> HttpWorker::to_load() {
    std::vector<AttemptId> ids = waiting(kHttpInboxSize);
    if (std::equal(ids.begin(), ids.end(), loaded_.begin(), loaded_.end(),
                   [](const AttemptId &id, const Loaded &job) { return job.attempt.key() == id; }))
        return {};
    std::unordered_map<int64, int> here;
    for (const AttemptId &id : ids) here.emplace(id.id, id.attempt);
    loaded_.remove_if([&](const Loaded &job) {
        const auto found = here.find(job.attempt.id);
        return found == here.end() || found->second != job.attempt.attempt;
    });
    for (const Loaded &job : loaded_) here.erase(job.attempt.id);
    std::erase_if(ids, [&](const AttemptId &id) { return !here.contains(id.id); });
    return ids;
}

// The most urgent first: what was claimed ahead may be less so than what came after it.
std::vector<std::list<HttpWorker::Loaded>::iterator> HttpWorker::by_priority() {
    std::vector<std::list<Loaded>::iterator> jobs;
    jobs.reserve(loaded_.size());
    for (auto job = loaded_.begin(); job != loaded_.end(); ++job) jobs.push_back(job);
    std::stable_sort(jobs.begin(), jobs.end(),
                     [](const auto &left, const auto &right) { return left->attempt.priority < right->attempt.priority; });
    return jobs;
}

// One host never has more under way than it leaves free for others.
bool HttpWorker::may_begin(const Loaded &job) const {
    return hosts_.has_room(job.host, guc::http_concurrency - static_cast<int>(deliveries_.size()));
}

template <class May>
void HttpWorker::begin_some(May &&may) {
    for (const auto here : by_priority()) {
        if (static_cast<int>(deliveries_.size()) >= guc::http_concurrency) return;
        if (!may(*here) || !may_begin(*here)) continue;
        Loaded job = std::move(*here);
        loaded_.erase(here);
        const AttemptId id = job.attempt.key();
        if (!begun(id)) continue;  // taken back meanwhile
        begun_now_.push_back(id);
        begin(std::move(job));
        slot_->running = 0;
    }
}

void HttpWorker::take() {
    std::vector<AttemptId> ids = std::exchange(told_, false) ? to_load() : std::vector<AttemptId>{};
    const bool build =
        std::any_of(loaded_.begin(), loaded_.end(), [&](const Loaded &job) { return job.attempt.function && may_begin(job); });
    if (build) finish_all();  // somebody's code may take long, and this process with it
    if (!ids.empty() || build) {
        in_transaction([&] {
            {
                const pg::SpiSession spi;
                for (Attempt &attempt : load(ids, name_)) {
                    std::erase(ids, attempt.key());
                    const auto args = attempt.function ? std::nullopt : std::optional<std::string_view>(attempt.args);
                    std::string host = host_of(attempt.channel, attempt.kind, args);
                    loaded_.push_back({std::move(attempt), std::move(host)});
                }
            }
            // Somebody's code: called for a while, then the others are looked after.
            const TimestampTz until = GetCurrentTimestamp() + kBuildingTime;
            const UserCode user;
            begin_some([&](const Loaded &job) {
                return job.attempt.function && unended_.empty() && !stopping() && GetCurrentTimestamp() < until;
            });
        });
        if (!ids.empty()) ended(ids);  // what could not be loaded has ended otherwise
        pg::forget_all();
    }
    if (stopping()) return;  // a builder was interrupted: nothing is begun any more
    begin_some([](const Loaded &job) { return !job.attempt.function; });
    if (begun_now_.empty()) return;
    sent(begun_now_);
    begun_now_.clear();
    pg::call([&] {
        char activity[64];
        snprintf(activity, sizeof activity, "pulse: %zu deliveries", deliveries_.size());
        pgstat_report_activity(STATE_RUNNING, activity);
    });
}

// Not one that was registered again since: somebody has it who did not have it then.
void forget_device(const Delivered &delivered) {
    static pg::Plan forget("DELETE FROM _pulse.devices WHERE token = $1 AND last_used_at < $2");
    if (!fcm::is_dead_token(delivered.outcome)) return;
    if (const auto token = fcm::device_token(delivered.delivery.args()))
        forget.run({pg::param_text(*token), {TIMESTAMPTZOID, TimestampTzGetDatum(delivered.delivery.started_at)}});
}

// What has an answer makes room for others at once.
void HttpWorker::drive() {
    std::vector<Delivered> ended = deliveries_.drive();
    quiet_ = ended.empty();
    if (quiet_) return;
    if (unended_.empty()) unended_since_ = GetCurrentTimestamp();
    for (Delivered &one : ended) {
        hosts_.ended(one.delivery.host);
        unended_.push_back(std::move(one));
    }
}

bool HttpWorker::ends_now() const {
    if (unended_.empty()) return false;
    return quiet_ || unended_.size() >= kMostUnended || GetCurrentTimestamp() - unended_since_ >= kUnendedTime;
}

// One transaction for all that have an answer by now; while it commits, others come.
void HttpWorker::finish_all() {
    if (unended_.empty()) return;
    std::vector<Ended> ends;
    std::vector<AttemptId> over;
    const std::vector<Delivered> delivered = std::exchange(unended_, {});
    const TimestampTz now = GetCurrentTimestamp();
    in_transaction([&] {
        const pg::SpiSession spi;
        for (const Delivered &one : delivered) {
            ends.push_back({&one.delivery.attempt, one.outcome, one.delivery.started_at, now});
            over.push_back(one.delivery.attempt.key());
            forget_device(one);
        }
        finish(ends);
    });
    unconfirmed_.push_back({XactLastCommitEnd, std::move(over)});
    tell_confirmed();
    report(entry_, ends);
    pg::call([] { pgstat_report_stat(false); });
}

// The foreman gives their places to others once the standby has their ends, too.
void HttpWorker::tell_confirmed() {
    for (; !unconfirmed_.empty() && pg::standby_has(unconfirmed_.front().position); unconfirmed_.pop_front())
        ended(unconfirmed_.front().over);
}

// What has not been sent waits again. Nobody waits for a standby: what has ended here has ended.
void HttpWorker::leave() {
    drive();  // what has been answered by now
    deliveries_.stop();
    drive();
    finish_all();
    for (const Unconfirmed &one : unconfirmed_) ended(one.over);
    {
        const Busy busy;
        give_back(waiting(kHttpInboxSize), name_);
    }
    pg::end_worker();
}

// Whatever there is to know sets the latch, answers do not.
void HttpWorker::hear() {
    if (!MyLatch->is_set) return;
    pg::call([] { ResetLatch(MyLatch); });
    if (stopping() || pg::extension_is_gone()) leave();
    const bool reload = ConfigReloadPending;
    pg::serve_interrupts();
    if (reload) configure();
    for (const AttemptId &id : cancelled()) deliveries_.cancel(id);
    told_ = true;
}

void HttpWorker::run() {
    pg::call([] { SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_SESSION); });
    configure();
    make_wait_set();
    SetLatch(MyLatch);  // what was said while it started is heard
    for (;;) {
        hear();
        tell_confirmed();
        take();
        if (stopping()) leave();
        drive();
        if (ends_now()) finish_all();
        wait();
    }
}

}  // namespace

}  // namespace pulse::queue

extern "C" PULSE_EXPORT void pulse_http_worker_main(Datum argument);

void pulse_http_worker_main(Datum argument) {
    using namespace pulse;
    pg::process([&] {
        pg::DatabaseEntry *entry = pg::begin_worker(pg::WorkerRole::kHttp, pg::worker_database(argument));
        queue::Queue *memory = queue::memory();
        if (memory == nullptr || !queue::begin_http()) pg::end_worker();
        queue::Slot *slot = queue::take_http_slot(memory);
        queue::begin_interrupts(slot);
        queue::HttpWorker(entry, slot).run();
    });
}
