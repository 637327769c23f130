// One pass of claims: which waiting jobs may begin now, and whose they are.
#include "guc.hpp"
#include "queue/events.hpp"
#include "queue/foreman.hpp"
#include "queue/settings.hpp"

namespace pulse::queue {

namespace {

// Rows that somebody else has locked are asked for again after this long. So many are passed by; of more, the lanes they are in stand.
constexpr int64 kLockedPause = USECS_PER_SEC;
constexpr std::size_t kMostLocked = 1000;
constexpr std::size_t kMostKeysLookedAt = 64;
// How often we look everywhere while there is work, and how small a share of the time that may take.
constexpr int64 kLookEvery = 30 * USECS_PER_SEC, kLookShare = 200;

}  // namespace

std::map<std::string, Foreman::State>::iterator Foreman::state_of(const std::string &queue) {
    const auto [found, made] = queues_.try_emplace(queue);
    State &state = found->second;
    if (state.settings_read == settings_reading_ && !made) return found;
    const QueueSettings settings = queue_settings(queue);
    const bool known = state.limiter.has_rate() && settings.per <= state.limiter.per();
    state.settings_read = settings_reading_;
    state.paused = settings.paused;
    state.events = settings.events;
    state.limiter.configure(settings.concurrency.value_or(0), settings.rate.value_or(0), settings.per);
    if (!state.limiter.has_rate() || known) return found;
    // Of a longer window we may have forgotten ends already. What is not on record may have been anything.
    std::vector<std::int64_t> ends;
    if (int64{guc::job_retention} * USECS_PER_SEC < settings.per)
        ends.assign(static_cast<std::size_t>(*settings.rate), steady_);
    else
        for (const TimestampTz at : ends_since(queue, now_ - settings.per)) ends.push_back(steady_ - std::max<int64>(now_ - at, 0));
    state.limiter.seed(ends);
    return found;
}

bool Foreman::has_room(const std::string &queue) {
    const auto found = queues_.find(queue);
    return found == queues_.end() || (!found->second.paused && found->second.limiter.room(steady_) > 0);
}

bool Foreman::open(const LaneName &name, const Lanes::Lane &lane) {
    if (!has_room(name.queue)) return false;
    switch (name.klass) {
        case Class::kSql: return lane.waits_idle ? places_.has_idle() : places_.room(Class::kSql) > 0;
        case Class::kHttp: return !entry_->http_wanted || places_.room(Class::kHttp) > 0;
        case Class::kExternal: return request_for(name.queue) >= 0;
    }
    return false;
}

// How many jobs of a lane may begin now.
int Foreman::room(const LaneName &lane) {
    const auto queue = queues_.find(lane.queue);
    const std::int64_t most = queue == queues_.end() ? kMostPeeked : queue->second.limiter.room(steady_);
    const int request = lane.klass == Class::kExternal ? request_for(lane.queue) : -1;
    const int places = lane.klass != Class::kExternal ? places_.room(lane.klass) : request < 0 ? 0 : requests_[request].room;
    return static_cast<int>(std::min<std::int64_t>(most, places));
}

// Whether somebody has room for it now.
bool Foreman::place_for(const Candidate &job) {
    switch (job.klass) {
        case Class::kSql: return job.is_last() ? places_.has_idle() : places_.room(Class::kSql) > 0;
        case Class::kHttp: {
            const int free = places_for(job);
            return free > 0 && hosts_.has_room(job.host.name(), free);
        }
        case Class::kExternal: return request_for(job.queue) >= 0;
    }
    return false;
}

// Whether it is the first of its key and the key is free. Else the key knows that something waits.
bool Foreman::is_free_key(const Candidate &job) {
    const KeyName name{job.queue, *job.key};
    if (!keys_.seen(name, job.id, now_)) return false;
    const std::optional<Candidate> first = first_of_key(name, 0);
    if (!first) return false;
    keys_.looked(name, Keys::Head{first->id, first->run_at});
    return first->id == job.id;
}

bool Foreman::take(const Candidate &job) {
    const auto queue = state_of(job.queue);
    if (queue->second.paused || queue->second.limiter.room(steady_) == 0 || !place_for(job)) return false;
    const bool alone = job.klass == Class::kSql && job.is_last();
    const int place = job.klass == Class::kExternal ? request_for(job.queue) : places_.plan(job.klass, alone);
    if (job.klass == Class::kExternal) --requests_[place].room;
    queue->second.limiter.started();
    if (job.key) keys_.started({job.queue, *job.key}, job.id);
    if (job.klass == Class::kHttp) hosts_.started(job.host.name());
    running_.insert_or_assign(job.id, Running{job.attempt + 1, queue, job.key, job.klass, DT_NOEND, job.host.name(), pass_});
    chosen_.push_back({job, place, alone});
    return true;
}

// It is not ours after all.
void Foreman::undo(const Chosen &chosen) {
    const Candidate &job = chosen.job;
    const auto found = running_.find(job.id);
    found->second.queue->second.limiter.never_started();
    if (job.klass == Class::kHttp) hosts_.ended(job.host.name());
    running_.erase(found);
    early_.erase(job.id);
    if (job.key) {
        keys_.ended({job.queue, *job.key}, job.id);
        return keys_.put_off({job.queue, *job.key}, now_ + kLockedPause);
    }
    if (locked_.size() < kMostLocked) {
        locked_.insert_or_assign(job.id, job);
        locked_until_ = std::min(locked_until_, now_ + kLockedPause);
        return;
    }
    lanes_.told(job.queue, job.priority, job.klass, job.place());
    lanes_.put_off(job.lane(), now_ + kLockedPause);
}

// Whether this version of its row was held by somebody a moment ago.
bool Foreman::is_locked(const Candidate &job) const {
    if (locked_.empty()) return false;
    const auto known = locked_.find(job.id);
    if (known == locked_.end()) return false;
    ItemPointerData held = known->second.row, now = job.row;
    return ItemPointerEquals(&held, &now);
}

// Their lanes begin with them again. What has vanished meanwhile is not found there.
void Foreman::look_at_locked() {
    for (const auto &[id, job] : locked_) lanes_.told(job.queue, job.priority, job.klass, job.place());
    locked_.clear();
    locked_until_ = DT_NOEND;
}

// Walks the lane from its mark, as far as there is room.
void Foreman::take_from(Lanes::Entry &entry) {
    const LaneName name = entry.first;
    Place from = entry.second.mark;
    lanes_.wait_for_idle(name, false);
    int walked = 0, peeked = std::clamp(room(name), kLeastPeeked, kMostPeeked);
    for (;;) {
        const std::vector<Candidate> jobs = peek(name, from, peeked);
        for (const Candidate &job : jobs) {
            if (job.run_at > now_) return lanes_.advance(name, job.place());
            if (running_.contains(job.id)) {
                waits_early(job);
            } else if (job.klass == name.klass && !is_locked(job)) {
                if (job.klass == Class::kHttp && !places_.http_runs() && !entry_->http_wanted) {
                    LWLockAcquire(pg::shared()->lock, LW_EXCLUSIVE);
                    entry_->http_wanted = true;
                    Latch *launcher = pg::shared()->launcher_latch;
                    LWLockRelease(pg::shared()->lock);
                    pg::wake(launcher);
                }
                if (!job.key || is_free_key(job)) {
                    if (!waits_for_host(job) && !take(job)) {
                        lanes_.advance(name, job.place());
                        if (job.key) keys_.put_off({job.queue, *job.key}, now_ + USECS_PER_SEC);
                        if (job.klass == Class::kSql && job.is_last() && !places_.has_idle()) lanes_.wait_for_idle(name, true);
                        return;
                    }
                }
            }
            from = after(job.place());
        }
        if (static_cast<int>(jobs.size()) < peeked) return lanes_.advance(name, kNothing);
        walked += peeked;
        if (walked >= kMostWalked) return lanes_.advance(name, from);
        if (!open(name, entry.second)) return lanes_.advance(name, from);
        peeked = std::min(peeked * 2, kMostPeeked);
    }
}

// Keys whose job has ended, or whose first job was to wait until now.
void Foreman::look_at_keys() {
    for (const Keys::Look &look : keys_.to_look_at(now_, kMostKeysLookedAt, [&](const std::string &queue) { return has_room(queue); })) {
        const std::optional<Candidate> first = first_of_key(look.name, look.from);
        if (!first) {
            keys_.looked(look.name, std::nullopt);
            continue;
        }
        keys_.looked(look.name, Keys::Head{first->id, first->run_at});
        if (first->run_at > now_) continue;
        const Lanes::Entry *before =
            lanes_.first_due(now_, [&](const LaneName &name, const Lanes::Lane &lane) { return open(name, lane); });
        const bool its_turn =
            before == nullptr || std::pair(first->priority, first->place()) <= std::pair(before->first.priority, before->second.mark);
        if (its_turn && take(*first)) continue;
        // Its lane has it from here on: an end makes room, and then it is picked in the order of priorities. It may also vanish.
        lanes_.told(first->queue, first->priority, first->klass, first->place());
        keys_.put_off(look.name, now_ + USECS_PER_SEC);
    }
}

void Foreman::look_everywhere() {
    const TimestampTz began = GetCurrentTimestamp();
    hosts_.forget_passed();
    end_orphans(false);
    for (const WaitingLane &lane : waiting_lanes()) lanes_.look_everywhere(lane.queue, lane.priority);
    look_ = false;
    look_took_ = GetCurrentTimestamp() - began;
    look_again_at_ = DT_NOEND;
}

void Foreman::announce(const std::vector<Claimed> &claimed) {
    for (const Claimed &one : claimed) {
        const Running &job = running_.at(one.id.id);
        if (job.queue->second.events) try_publish_change(job.queue->first, "job:started", one.id.id, one.kind, "executing", one.id.attempt);
    }
}

bool Foreman::any_has_events(const std::vector<const Candidate *> &jobs) const {
    return std::any_of(jobs.begin(), jobs.end(), [&](const Candidate *job) { return running_.at(job->id).queue->second.events; });
}

void Foreman::claim_chosen() {
    std::vector<const Candidate *> jobs;
    for (const Chosen &one : chosen_)
        if (one.job.klass != Class::kExternal) jobs.push_back(&one.job);
    const std::vector<Claimed> claimed = claim(jobs, any_has_events(jobs));
    std::unordered_map<int64, AttemptId> attempts;
    for (const Claimed &one : claimed) attempts.emplace(one.id.id, one.id);
    for (const Chosen &one : chosen_) {
        if (one.job.klass == Class::kExternal) continue;
        const auto found = attempts.find(one.job.id);
        if (found == attempts.end())
            undo(one);
        else
            given_.push_back({found->second, one.place, one.alone});
    }
    announce(claimed);
}

void Foreman::claim_fetched() {
    for (int n = 0; n < kFetchRequests; ++n) {
        std::vector<const Candidate *> jobs;
        for (const Chosen &one : chosen_)
            if (one.job.klass == Class::kExternal && one.place == n) jobs.push_back(&one.job);
        if (jobs.empty()) continue;
        Request &request = requests_[n];
        const TimestampTz until = now_ + request.lease;
        const std::vector<Claimed> claimed = claim(jobs, any_has_events(jobs), Lease{request.worker, until});
        for (const Claimed &one : claimed) {
            running_.at(one.id.id).lease_until = until;
            leases_.emplace(until, one.id.id);
            request.got.push_back(one.id);
        }
        for (const Chosen &one : chosen_) {
            if (one.job.klass != Class::kExternal || one.place != n) continue;
            if (std::none_of(claimed.begin(), claimed.end(), [&](const Claimed &other) { return other.id.id == one.job.id; })) undo(one);
        }
        announce(claimed);
    }
}

void Foreman::claim_pass() {
    chosen_.clear();
    given_.clear();
    has_ended_ = false;
    ++pass_;
    if (places_.room_now() > 0) places_.claim_ahead(true);
    if (std::exchange(settings_, false)) {
        // Perhaps they are those of another database, whose rows somebody has loaded into this one.
        if (check_origin()) look_ = true;
        forget_settings();  // the news come before the invalidation
        ++settings_reading_;
        for (auto &[name, state] : queues_) (void)state_of(name);
    }
    forget_ended_outside();
    expire_leases();
    fail_lost();
    carry_out_cancels();
    if (look_ || look_again_at_ <= now_) look_everywhere();
    if (locked_until_ <= now_) look_at_locked();
    look_at_keys();
    look_at_hosts();
    lanes_.begin_pass();
    while (Lanes::Entry *entry = lanes_.pick(now_, [&](const LaneName &name, const Lanes::Lane &lane) { return open(name, lane); })) {
        (void)state_of(entry->first.queue);
        take_from(*entry);
    }
    claim_chosen();
    claim_fetched();
    if (!chosen_.empty() && look_again_at_ == DT_NOEND) look_again_at_ = now_ + std::max(kLookEvery, look_took_ * kLookShare);
    waits_for_idle_ = lanes_.any_waits_for_idle();
    // Those with a rate stay, so that their ends need not be read again; there are as many as are configured.
    std::erase_if(queues_,
                  [&](auto &one) { return !one.second.paused && !one.second.limiter.has_rate() && one.second.limiter.is_idle(steady_); });
}

// Job workers see to it that a claim is on disk before they begin: an idle one loads its jobs meanwhile, a busy one has most likely had the
// claim flushed by its own commit, and we claim on. A claim that is lost with the server has begun nothing. Whoever else reads this pass's
// writes (a session that fetches, the HTTP worker, who sees an attempt's end or an event) is told what is on disk.
bool Foreman::may_give_early() const {
    return !given_.empty() && !has_ended_ && std::all_of(chosen_.begin(), chosen_.end(), [&](const Chosen &one) {
        if (one.job.klass != Class::kSql) return false;
        const auto job = running_.find(one.job.id);
        return job == running_.end() || !job->second.queue->second.events;
    });
}

void Foreman::commit_claims() {
    bool early = false;
    in_transaction([&] {
        claim_pass();
        early = may_give_early();
        if (early)
            pg::call(
                [] { (void)set_config_option("synchronous_commit", "off", PGC_SUSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false); });
    });
    if (!given_.empty()) places_.give(given_, XactLastCommitEnd);
    given_.clear();
    if (early && !MyLatch->is_set)
        pg::call([] { XLogFlush(XactLastCommitEnd); });  // nobody else is about to, and who was idle waits for it
}

}  // namespace pulse::queue
