// Attempts that end otherwise than by their worker: those of a dead worker or server, cancelled ones, leases that ran out.
#include "queue/finish.hpp"
#include "queue/foreman.hpp"
#include "queue/load.hpp"
#include "queue/settings.hpp"

#include <unordered_set>

namespace pulse::queue {

namespace {

constexpr const char *kWorkerEnded = "the worker ended during this attempt";
constexpr const char *kLeaseEnded = "its lease ran out without an answer";

// Ends attempts alike, in batches that do not keep all their jobs in memory.
void end_all(const std::vector<Executing> &jobs, Outcome::What what, const char *error) {
    constexpr std::size_t kBatch = 500;
    for (std::size_t from = 0; from < jobs.size(); from += kBatch) {
        std::vector<AttemptId> ids;
        std::unordered_map<int64, TimestampTz> started;
        for (std::size_t n = from; n < std::min(from + kBatch, jobs.size()); ++n) {
            ids.push_back(jobs[n].id);
            started.emplace(jobs[n].id.id, jobs[n].attempted_at);
        }
        const std::vector<Attempt> attempts = load(ids, "");
        std::vector<Ended> ended;
        for (const Attempt &attempt : attempts)
            ended.push_back({&attempt, {.what = what, .error = error}, started.at(attempt.id), GetCurrentTimestamp()});
        finish(ended);
    }
}

std::vector<int64> ids_of(const std::vector<AttemptId> &attempts) {
    std::vector<int64> ids;
    for (const AttemptId &attempt : attempts) ids.push_back(attempt.id);
    return ids;
}

}  // namespace

void Foreman::now_running(const Executing &job) {
    const auto queue = state_of(job.queue);
    queue->second.limiter.started();
    if (job.key) keys_.started({job.queue, *job.key}, job.id.id);
    running_.insert_or_assign(job.id.id, Running{job.id.attempt, queue, job.key, job.klass, job.lease_until});
    if (job.klass == Class::kExternal) leases_.emplace(job.lease_until, job.id.id);
}

// At the start. What executes, is in no inbox and has no lease: when this memory was served before, no worker has begun it; else the
// server has crashed or was restored, and nobody knows.
void Foreman::recover() {
    static pg::Plan origin("SELECT _pulse.check_queue_origin()");
    origin.run();
    std::unordered_set<int64> held;
    for (const AttemptId &attempt : places_.held()) held.insert(attempt.id);
    std::vector<Executing> orphans, others;
    for (Executing &job : executing())
        (job.klass == Class::kExternal || held.contains(job.id.id) ? others : orphans).push_back(std::move(job));
    bool knows;
    {
        const Locked locked(queue_);
        knows = queue_->knows;
    }
    end_all(orphans, knows ? Outcome::kReturned : Outcome::kRetry, kWorkerEnded);
    now_ = GetCurrentTimestamp();
    for (const Executing &job : others) {
        now_running(job);
        if (job.cancelled) cancels_.push_back(job.id.id);
    }
    const Locked locked(queue_);
    queue_->knows = true;
}

void Foreman::job_ended(int64 id) {
    const auto found = running_.find(id);
    if (found == running_.end()) return;
    Running &job = found->second;
    job.queue->second.limiter.ended(now_);
    if (job.key) keys_.ended({job.queue->first, *job.key}, id);
    if (job.klass == Class::kExternal) leases_.erase({job.lease_until, id});
    running_.erase(found);
}

// Somebody outside has ended attempts, or has new leases.
void Foreman::forget_ended_outside() {
    if (check_outside_)
        for (const auto &[lease, id] : leases_) ended_outside_.push_back(id);
    check_outside_ = false;
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
    for (Executing &job : executing(ids))
        if (job.lease_until <= now_) over.push_back(std::move(job));
    end_all(over, Outcome::kRetry, kLeaseEnded);
    // Of all of them, whatever became of them, we look at what is true now.
    ended_outside_.insert(ended_outside_.end(), ids.begin(), ids.end());
    forget_ended_outside();
}

void Foreman::fail_lost() {
    if (!unfetched_.empty()) {
        end_all(executing(unfetched_), Outcome::kReturned, "");
        for (const int64 id : std::exchange(unfetched_, {})) job_ended(id);
    }
    if (lost_.empty()) return;
    end_all(executing(ids_of(lost_)), Outcome::kRetry, kWorkerEnded);
    for (const AttemptId &attempt : std::exchange(lost_, {})) job_ended(attempt.id);
}

void Foreman::carry_out_cancels() {
    std::vector<int64> taken_back;
    for (const int64 id : std::exchange(cancels_, {}))
        if (running_.contains(id) && places_.cancel(id) == Places::Cancel::kTakenBack) taken_back.push_back(id);
    if (taken_back.empty()) return;
    end_all(executing(taken_back), Outcome::kCancelled, "cancelled");
    for (const int64 id : taken_back) job_ended(id);
}

}  // namespace pulse::queue
