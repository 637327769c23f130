// The HTTP worker's places are shared by hosts: who has its share waits, without holding who is behind it.
#include "queue/foreman.hpp"

namespace pulse::queue {

namespace {

constexpr std::size_t kMostHostsLookedAt = 64;
// Jobs that were passed by let more urgent ones go first, but not always.
constexpr std::uint64_t kAnywayEvery = 8;

}  // namespace

// The HTTP worker's. On its last attempt a job is given only what is free now: what has been claimed fails with the server. Nothing is
// claimed ahead of it meanwhile.
int Foreman::places_for(const Candidate &job) {
    const int free = places_.room(Class::kHttp), now = places_.room_now();
    if (free > now && job.is_last() && hosts_.has_room(job.host.name(), free) && !hosts_.has_room(job.host.name(), now))
        places_.claim_ahead(false);
    return places_.room(Class::kHttp);
}

// It runs, as far as we know, and waits: we have not heard of its end yet, or this pass has chosen it.
void Foreman::waits_early(const Candidate &job) {
    if (running_.at(job.id).pass != pass_) early_.insert_or_assign(job.id, job);
}

// Whether it is left where it is until its host has room: passed by, or known to its key.
bool Foreman::waits_for_host(const Candidate &job) {
    if (job.klass != Class::kHttp || places_.room(Class::kHttp) == 0) return false;
    const int free = places_for(job);
    if (free == 0) return false;
    const std::string &host = job.host.name();
    const bool room = hosts_.has_room(host, free);
    if (job.key) {
        if (!room) keys_.put_off({job.queue, *job.key}, now_ + USECS_PER_SEC);
        return !room;
    }
    if (room && !hosts_.waits(host, job.lane())) return false;
    if (hosts_.pass_by(host, job.lane(), job.place())) return true;
    if (!room) lanes_.put_off(job.lane(), now_ + USECS_PER_SEC);
    return false;
}

bool Foreman::host_is_due() {
    return !hosts_.to_look_at(places_.room(Class::kHttp), 1, [&](const std::string &queue) { return has_room(queue); }).empty();
}

// Takes what was passed by of one host, as far as it has room.
void Foreman::look_at_host(const Hosts::Look &look) {
    Place from = look.from;
    int walked = 0, peeked = kPeek;
    for (;;) {
        const std::vector<Candidate> jobs = peek(look.lane, from, peeked);
        for (const Candidate &job : jobs) {
            if (job.run_at > now_) return hosts_.go_on(look.host, look.lane, kNothing);  // so far its lane has not come either
            if (!hosts_.has_room(look.host, places_.room(Class::kHttp))) return hosts_.go_on(look.host, look.lane, job.place());
            if (running_.contains(job.id)) {
                waits_early(job);
            } else if (job.klass == Class::kHttp && !job.key && job.host.name() == look.host) {
                if (!take(job)) return hosts_.go_on(look.host, look.lane, job.place());
                hosts_.taken(look.host, look.lane);
            }
            from = after(job.place());
        }
        if (static_cast<int>(jobs.size()) < peeked) return hosts_.go_on(look.host, look.lane, kNothing);
        walked += peeked;
        if (walked >= kMostWalked) return hosts_.go_on(look.host, look.lane, from);
        peeked = std::min(peeked * 2, kMostPeeked);
    }
}

void Foreman::look_at_hosts() {
    const auto is_open = [&](const std::string &queue) { return has_room(queue); };
    for (const Hosts::Look &look : hosts_.to_look_at(places_.room(Class::kHttp), kMostHostsLookedAt, is_open)) {
        const Lanes::Entry *before = lanes_.first_due(
            now_, [&](const LaneName &name, const Lanes::Lane &lane) { return name.klass == Class::kHttp && open(name, lane); });
        if (before != nullptr && before->first.priority < look.lane.priority && ++host_looks_ % kAnywayEvery != 0) continue;
        look_at_host(look);
    }
}

}  // namespace pulse::queue
