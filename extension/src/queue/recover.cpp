// Attempts that end otherwise than by their worker: those of a dead worker or server, cancelled ones, leases that ran out.
#include "pg/run_as.hpp"
#include "queue/finish.hpp"
#include "queue/foreman.hpp"
#include "queue/load.hpp"
#include "queue/settings.hpp"

#include <algorithm>
#include <unordered_set>

namespace pulse::queue {

namespace {

constexpr const char *kWorkerEnded = "the worker ended during this attempt";
constexpr const char *kLeaseEnded = "its lease ran out without an answer";
constexpr int64 kAgain = 1000 * 1000;  // µs

std::vector<int64> ids_of(const std::vector<AttemptId> &attempts) {
    std::vector<int64> ids;
    for (const AttemptId &attempt : attempts) ids.push_back(attempt.id);
    return ids;
}

}  // namespace

// Ends attempts alike, in batches that do not keep all their jobs in memory. Nobody's lock is waited for: all queues would wait with us.
void Foreman::end_all(const std::vector<Executing> &jobs, Outcome::What what, const char *error) {
    constexpr std::size_t kMost = 500, kMostBytes = 4 * 1024 * 1024;
    has_ended_ |= !jobs.empty();
    for (std::size_t from = 0; from < jobs.size();) {
        std::vector<AttemptId> ids;
        std::unordered_map<int64, TimestampTz> started;
        for (std::size_t bytes = 0; from < jobs.size() && ids.size() < kMost && (ids.empty() || bytes + jobs[from].bytes <= kMostBytes);
             ++from) {
            bytes += jobs[from].bytes;
            ids.push_back(jobs[from].id);
            started.emplace(jobs[from].id.id, jobs[from].attempted_at);
        }
        const pg::SpiSession batch;  // whose memory goes with it
        const std::vector<Attempt> attempts = load(ids, "");
        std::vector<Ended> ended;
        for (const Attempt &attempt : attempts)
            ended.push_back({&attempt, {.what = what, .error = error}, started.at(attempt.id), GetCurrentTimestamp()});
        // An open transaction that has inserted one of their unique keys is not waited for either.
        pg::SettingScope settings;
        settings.set("lock_timeout", "200ms");
        finish(ended);
    }
}

// Those whose rows nobody holds; the others in a second.
void Foreman::end_held(const std::vector<AttemptId> &attempts, Outcome::What what, const char *error) {
    const std::vector<int64> ids = ids_of(attempts);
    std::unordered_map<int64, int> meant;
    for (const AttemptId &attempt : attempts) meant.emplace(attempt.id, attempt.attempt);
    // Another attempt is somebody else's.
    const auto is_meant = [&](const Executing &job) { return meant.at(job.id.id) == job.id.attempt; };
    std::vector<Executing> free = lock_executing(ids);
    std::erase_if(free, [&](const Executing &job) { return !is_meant(job); });
    end_all(free, what, error);
    std::unordered_set<int64> held;
    for (const Executing &job : executing(ids))
        if (is_meant(job)) held.insert(job.id.id);
    for (const AttemptId &attempt : attempts) {
        if (!held.contains(attempt.id)) {
            attempt_ended(attempt);
        } else {
            stuck_.push_back(attempt);
            stuck_until_ = now_ + kAgain;
        }
    }
}

void Foreman::now_running(const Executing &job) {
    const auto queue = state_of(job.queue);
    queue->second.limiter.started();
    if (job.key) keys_.started({job.queue, *job.key}, job.id.id);
    running_.insert_or_assign(job.id.id, Running{job.id.attempt, queue, job.key, job.klass, job.lease_until, job.host.name()});
    if (job.klass == Class::kHttp) hosts_.started(job.host.name());
    if (job.klass == Class::kExternal) leases_.emplace(job.lease_until, job.id.id);
}

// True: all queues are paused now, since they came from another database.
bool Foreman::check_origin() {
    static pg::Plan check("SELECT _pulse.check_queue_origin()");
    check.run();
    return pg::result_row().boolean(1);
}

// What executes although we know nothing of it. Somebody may have begun it: it is in an inbox, or has a lease. Else it has lost this
// attempt, as after a crash of the server or in a copy of a database; unless `knows`: then no worker has begun it.
void Foreman::end_orphans(bool knows) {
    std::unordered_set<int64> held;
    for (const AttemptId &attempt : places_.held()) held.insert(attempt.id);
    std::vector<AttemptId> nobodys;
    for (const Executing &job : executing()) {
        if (running_.contains(job.id.id) || std::find(stuck_.begin(), stuck_.end(), job.id) != stuck_.end()) continue;
        if (job.klass != Class::kExternal && !held.contains(job.id.id)) {
            nobodys.push_back(job.id);
            continue;
        }
        now_running(job);
        if (job.cancelled) cancels_.push_back(job.id.id);
    }
    if (!nobodys.empty()) end_held(nobodys, knows ? Outcome::kReturned : Outcome::kRetry, kWorkerEnded);
}

// At the start: when this memory was served before, what is in no inbox was claimed and given to nobody.
void Foreman::recover() {
    (void)check_origin();
    bool knows;
    {
        const Locked locked(queue_);
        knows = queue_->knows;
    }
    look_at_clocks();
    end_orphans(knows);
    const Locked locked(queue_);
    queue_->knows = true;
}

void Foreman::job_ended(int64 id) {
    const auto found = running_.find(id);
    if (found == running_.end()) return;
    Running &job = found->second;
    job.queue->second.limiter.ended(steady_);
    if (job.key) keys_.ended({job.queue->first, *job.key}, id);
    if (job.klass == Class::kExternal) leases_.erase({job.lease_until, id});
    if (job.klass == Class::kHttp) hosts_.ended(job.host);
    running_.erase(found);
    if (const auto early = early_.find(id); early != early_.end()) {
        lanes_.told(early->second.queue, early->second.priority, early->second.klass, early->second.place());
        early_.erase(early);
    }
}

void Foreman::attempt_ended(const AttemptId &attempt) {
    const auto known = running_.find(attempt.id);
    if (known != running_.end() && known->second.attempt == attempt.attempt) job_ended(attempt.id);
}

// Somebody outside has ended attempts, or has new leases.
void Foreman::forget_ended_outside() {
    if (std::exchange(check_outside_, false)) {
        for (const auto &[lease, id] : leases_) ended_outside_.push_back(id);
        for (const Executing &job : executing())
            if (job.cancelled) cancels_.push_back(job.id.id);
    }
    if (ended_outside_.empty()) return;
    std::unordered_map<int64, Executing> still;
    for (Executing &job : executing(ended_outside_)) {
        const int64 id = job.id.id;
        still.emplace(id, std::move(job));
    }
    for (const int64 id : std::exchange(ended_outside_, {})) {
        const auto known = running_.find(id);
        if (known == running_.end()) continue;
        const auto job = still.find(id);
        if (job == still.end() || job->second.id.attempt != known->second.attempt) {
            job_ended(id);
        } else if (known->second.klass == Class::kExternal) {
            leases_.erase({known->second.lease_until, id});
            known->second.lease_until = job->second.lease_until;
            leases_.emplace(known->second.lease_until, id);
        }
    }
}

void Foreman::expire_leases() {
    std::vector<int64> ids;
    for (const auto &[until, id] : leases_) {
        if (until > now_) break;
        ids.push_back(id);
    }
    if (ids.empty()) return;
    std::vector<Executing> over;
    for (Executing &job : lock_executing(ids))
        if (job.lease_until <= now_) over.push_back(std::move(job));
    end_all(over, Outcome::kRetry, kLeaseEnded);
    // Of all of them, whatever became of them, we look at what is true now.
    ended_outside_.insert(ended_outside_.end(), ids.begin(), ids.end());
    forget_ended_outside();
    // Who is in the middle of an answer holds its row: it is asked again in a while.
    while (!leases_.empty() && leases_.begin()->first <= now_) {
        const int64 id = leases_.begin()->second;
        leases_.erase(leases_.begin());
        running_.at(id).lease_until = now_ + kAgain;
        leases_.emplace(now_ + kAgain, id);
    }
}

void Foreman::fail_lost() {
    if (!unfetched_.empty()) end_held(std::exchange(unfetched_, {}), Outcome::kReturned, "");
    if (!lost_.empty()) end_held(std::exchange(lost_, {}), Outcome::kRetry, kWorkerEnded);
}

void Foreman::carry_out_cancels() {
    std::vector<AttemptId> taken_back;
    for (const int64 id : std::exchange(cancels_, {}))
        if (const auto job = running_.find(id); job != running_.end() && places_.cancel(id) == Places::Cancel::kTakenBack)
            taken_back.push_back({id, job->second.attempt});
    if (!taken_back.empty()) end_held(taken_back, Outcome::kCancelled, "cancelled");
}

}  // namespace pulse::queue
