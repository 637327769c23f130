// Workers outside: pulse.fetch_jobs asks the foreman through shared memory, so that limits, keys and order hold for them too; ack, nack
// and heartbeat say what became of an attempt. Both sides of the request are here.
#include "pg/interval.hpp"
#include "pg/run_as.hpp"
#include "queue/finish.hpp"
#include "queue/foreman.hpp"
#include "queue/load.hpp"
#include "queue/news.hpp"
#include "queue/plans.hpp"
#include "queue/shared.hpp"

#include <cstring>

namespace pulse::queue {

// ---- the foreman's side

void Foreman::read_requests() {
    unfetched_.reserve(unfetched_.size() + kFetchRequests * kMostFetched);
    const Locked locked(queue_);
    for (int n = 0; n < kFetchRequests; ++n) {
        FetchRequest &asked = queue_->fetches[n];
        if (asked.state == Fetch::kUnread) {
            for (int job = 0; job < asked.count; ++job) unfetched_.push_back({asked.ids[job], asked.attempts[job]});
            asked.state = Fetch::kFree;
        }
        Request &request = requests_[n];
        request.open = asked.state == Fetch::kAsked;
        request.room = request.open ? asked.most : 0;
        request.ticket = asked.ticket;
        if (!request.open) continue;
        request.queue.assign(asked.queue);
        request.worker.assign(asked.worker);
        request.lease = asked.lease;
    }
}

int Foreman::request_for(const std::string &queue) const {
    for (int n = 0; n < kFetchRequests; ++n)
        if (requests_[n].room > 0 && requests_[n].queue == queue) return n;
    return -1;
}

// A request that does not wait is answered with whatever there was.
void Foreman::answer_requests() {
    Latch *latches[kFetchRequests];
    int count = 0;
    unfetched_.reserve(unfetched_.size() + kFetchRequests * kMostFetched);
    {
        const Locked locked(queue_);
        for (int n = 0; n < kFetchRequests; ++n) {
            FetchRequest &asked = queue_->fetches[n];
            Request &request = requests_[n];
            const bool there = request.open && asked.state == Fetch::kAsked && request.ticket == asked.ticket;
            if (!there) {
                // Whoever asked has gone: the leases that it will never hear of are given up.
                unfetched_.insert(unfetched_.end(), request.got.begin(), request.got.end());
            } else if (!request.got.empty() || !asked.waits) {
                asked.count = 0;
                for (const AttemptId &id : request.got) {
                    asked.ids[asked.count] = id.id;
                    asked.attempts[asked.count++] = id.attempt;
                }
                asked.state = Fetch::kAnswered;
                latches[count++] = asked.latch;
            }
            request.got.clear();
            // One that waits on is to be thought of when we decide how long to sleep.
            request.room = request.open && asked.state == Fetch::kAsked ? asked.most : 0;
        }
    }
    for (int n = 0; n < count; ++n) pg::wake(latches[n]);
}

namespace {

// ---- the session's side

FetchRequest *mine = nullptr;

// An answer that nobody has read goes back to the foreman.
void free_request(bool read) {
    Queue *queue = memory();
    if (mine == nullptr || queue == nullptr) return;
    bool unread;
    {
        const Locked locked(queue);
        unread = mine->state == Fetch::kAnswered && !read;
        mine->state = unread ? Fetch::kUnread : Fetch::kFree;
        mine = nullptr;
    }
    if (unread) wake_foreman(queue);
}

void on_exit(int, Datum) {
    pg::callback("the end of a session that fetches jobs", [] { free_request(false); });
}

class OpenRequest {
public:
    OpenRequest(Queue *queue, const std::string &name, const std::string &worker, int most, int64 lease, bool waits) {
        static bool registered = false;
        if (!registered) before_shmem_exit(on_exit, Datum(0));
        registered = true;
        const Locked locked(queue);
        for (FetchRequest &request : queue->fetches) {
            if (request.state != Fetch::kFree) continue;
            std::memcpy(request.queue, name.c_str(), name.size() + 1);
            std::memcpy(request.worker, worker.c_str(), worker.size() + 1);
            request.latch = MyLatch;
            request.most = most;
            request.lease = lease;
            request.waits = waits;
            request.count = 0;
            ++request.ticket;
            request.state = Fetch::kAsked;
            mine = &request;
            break;
        }
    }
    ~OpenRequest() { free_request(read_); }
    OpenRequest(const OpenRequest &) = delete;
    OpenRequest &operator=(const OpenRequest &) = delete;
    explicit operator bool() const { return mine != nullptr; }
    // Whoever asked has the answer.
    void read() { read_ = true; }

private:
    bool read_ = false;
};

[[noreturn]] void refuse(std::string_view message, std::string_view hint = {}) {
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, message, {}, hint);
}

// µs of an interval argument.
int64 microseconds(FunctionCallInfo fcinfo, int n, const char *name) {
    if (pg::arg_is_null(fcinfo, n)) refuse(std::string(name) + " is null", "It is an interval without months, as '5 min'.");
    const auto value = pg::fixed_microseconds_of(pg::arg(fcinfo, n), 0, 7 * USECS_PER_DAY);
    if (!value) refuse(std::string(name) + " is not between 0 and 7 days", "It is an interval without months, as '5 min'.");
    return *value;
}

Queue *serving_queue() {
    Queue *queue = memory();
    if (queue == nullptr)
        pg::fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "pulse is not loaded at server start", {},
                 "Add pulse to shared_preload_libraries, name the database in pulse.databases and restart PostgreSQL.");
    return queue;
}

// Waits for the answer to our request. Returns the attempts that are ours now.
std::vector<AttemptId> wait_for_answer(Queue *queue, int64 wait) {
    // A foreman that is about to come up, or held up, is waited for this long; one that is not there is said.
    constexpr int64 kPatience = 5 * USECS_PER_SEC;
    wake_foreman(queue);
    const TimestampTz began = GetCurrentTimestamp();
    for (;;) {
        std::vector<AttemptId> got;
        got.reserve(kMostFetched);
        bool served;
        const TimestampTz now = GetCurrentTimestamp();
        {
            const Locked locked(queue);
            served = queue->foreman_pid != 0;
            const bool answered = mine->state == Fetch::kAnswered;
            if (answered || (wait > 0 && now - began >= wait)) {
                for (int n = 0; answered && n < mine->count; ++n) got.push_back({mine->ids[n], mine->attempts[n]});
                return got;
            }
        }
        if (!served && now - began > kPatience)
            pg::fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "no pulse foreman serves this database", {},
                     "Name the database in pulse.databases; pulse.status() tells more.");
        const int64 left = wait > 0 ? std::min(wait - (now - began), USECS_PER_SEC) : USECS_PER_SEC;
        pg::call([=] {
            (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(left / 1000 + 1),
                            PG_WAIT_EXTENSION);
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        });
    }
}

int attempt_argument(FunctionCallInfo fcinfo) {
    if (pg::arg_is_null(fcinfo, 0) || pg::arg_is_null(fcinfo, 1)) refuse("id or attempt is null", "pulse.fetch_jobs tells both.");
    return DatumGetInt32(pg::arg(fcinfo, 1));
}

// Ends a fetched attempt; false when it is not executing any more.
bool end_fetched(FunctionCallInfo fcinfo, const Outcome &outcome) {
    static pg::Plan times("SELECT j.attempted_at, j.cancelled_at IS NOT NULL, j.worker FROM _pulse.jobs j "
                          "WHERE j.id = $1 AND j.attempt = $2 AND j.state = 'executing' AND j.channel = 'external' FOR UPDATE");
    const AttemptId id{DatumGetInt64(pg::arg(fcinfo, 0)), attempt_argument(fcinfo)};
    const pg::OwnerScope owner(pg::function_owner(fcinfo));
    const pg::SpiSession spi;
    const PinnedPlans pinned;
    if (times.run({pg::param_int8(id.id), pg::param_int4(id.attempt)}) == 0) return false;
    const TimestampTz started = DatumGetTimestampTz(pg::result_row().datum(1));
    const bool cancelled = pg::result_row().boolean(2);
    const std::string worker(pg::result_row().optional_text(3).value_or(""));
    const std::vector<Attempt> job = load({&id, 1}, worker);
    if (job.empty()) return false;
    Ended end{&job[0], outcome, started, GetCurrentTimestamp()};
    // Nobody wants another attempt of a cancelled one.
    if (cancelled && outcome.what != Outcome::kCompleted) end.outcome.what = Outcome::kCancelled;
    const bool ended = !finish({&end, 1}).empty();
    if (ended) tell_ended(id.id);
    return ended;
}

Datum fetch_jobs(FunctionCallInfo fcinfo) {
    enum Argument { kQueueName, kWorker, kMost, kLease, kWait };
    static pg::Plan read("SELECT j.id, j.kind, j.args, j.attempt, j.max_attempts, j.priority, j.created_at, j.traceparent "
                         "FROM _pulse.jobs j WHERE j.id = ANY ($1) AND j.state = 'executing' ORDER BY j.id");
    const auto name = pg::optional_text(fcinfo, kQueueName), worker = pg::optional_text(fcinfo, kWorker);
    if (!name || name->empty() || name->size() > kMostQueueBytes)
        refuse("queue is no name of a queue", "A queue's name has 1 to 255 bytes.");
    if (!worker || worker->empty() || worker->size() > kMostWorkerBytes)
        refuse("worker is no name", "Call yourself something of 1 to 63 bytes: attempts that fail will say it.");
    const int most = pg::arg_is_null(fcinfo, kMost) ? 0 : DatumGetInt32(pg::arg(fcinfo, kMost));
    if (most < 1 || most > kMostFetched) refuse("max_jobs is not between 1 and 100", "Fetch again for more.");
    const int64 lease = microseconds(fcinfo, kLease, "lease"), wait = microseconds(fcinfo, kWait, "wait");
    if (lease < USECS_PER_SEC) refuse("lease is shorter than a second", "It is between a second and 7 days; pulse.heartbeat prolongs it.");
    pg::call([&] { InitMaterializedSRF(fcinfo, 0); });
    Queue *queue = serving_queue();
    OpenRequest request(queue, *name, *worker, most, lease, wait > 0);
    if (!request)
        pg::fail(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "too many sessions wait for jobs", {},
                 "Fetch with fewer sessions, or without wait.");
    const std::vector<AttemptId> got = wait_for_answer(queue, wait);
    if (got.empty()) return Datum(0);
    std::vector<int64> ids;
    for (const AttemptId &id : got) ids.push_back(id.id);
    auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    const pg::OwnerScope owner(pg::function_owner(fcinfo));
    const pg::SpiSession spi;
    const PinnedPlans pinned;
    // They were claimed by another transaction, after this one's snapshot.
    const pg::LatestSnapshot latest;
    read.for_each(
        {pg::param_int8s(ids)}, [&](const pg::Row &row) { pg::put_row(result, row); }, true);
    request.read();
    return Datum(0);
}

Datum heartbeat(FunctionCallInfo fcinfo) {
    static pg::Plan prolong("UPDATE _pulse.jobs SET lease_until = clock_timestamp() + $3 WHERE id = $1 AND attempt = $2 "
                            "AND state = 'executing' AND channel = 'external' RETURNING cancelled_at IS NULL");
    const int attempt = attempt_argument(fcinfo);
    const int64 id = DatumGetInt64(pg::arg(fcinfo, 0));
    (void)microseconds(fcinfo, 2, "lease");
    const pg::OwnerScope owner(pg::function_owner(fcinfo));
    const pg::SpiSession spi;
    const PinnedPlans pinned;
    if (prolong.run({pg::param_int8(id), pg::param_int4(attempt), {INTERVALOID, pg::arg(fcinfo, 2)}}) == 0) return BoolGetDatum(false);
    const bool wanted = pg::result_row().boolean(1);
    tell_ended(id);
    return BoolGetDatum(wanted);
}

}  // namespace

}  // namespace pulse::queue

using namespace pulse;

PULSE_FN(pulse_fetch_jobs) { return queue::fetch_jobs(fcinfo); }

PULSE_FN(pulse_ack) {
    queue::Outcome outcome{.what = queue::Outcome::kCompleted};
    outcome.result_json = pg::optional_text(fcinfo, 2);
    return BoolGetDatum(queue::end_fetched(fcinfo, outcome));
}

PULSE_FN(pulse_nack) {
    const auto error = pg::optional_text(fcinfo, 2);
    if (!error || error->empty()) queue::refuse("error is empty", "Say what went wrong: the attempt is kept with it.");
    const bool permanent = !pg::arg_is_null(fcinfo, 4) && DatumGetBool(pg::arg(fcinfo, 4));
    queue::Outcome outcome{.what = permanent ? queue::Outcome::kDiscard : queue::Outcome::kRetry, .error = *error};
    if (!pg::arg_is_null(fcinfo, 3)) outcome.retry_after_ms = queue::microseconds(fcinfo, 3, "retry_after") / 1000;
    return BoolGetDatum(queue::end_fetched(fcinfo, outcome));
}

PULSE_FN(pulse_heartbeat) { return queue::heartbeat(fcinfo); }
