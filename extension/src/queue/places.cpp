// Inboxes, from the foreman's side.
#include "queue/places.hpp"

#include "guc.hpp"

#include <algorithm>
#include <csignal>

namespace pulse::queue {

namespace {

// A worker has so much before it that it need not wait for the foreman, and not so much that a more urgent job waits long.
constexpr int64 kAhead = 20 * 1000;  // µs
// A worker that has not come on for longer than this (a slow job, an end that waits for somebody's lock) holds nobody: what waits behind
// it goes to who is free.
constexpr int64 kSlow = 5 * 1000;  // µs
// It gets no more than so many a pass, so that it need not wait until the foreman has claimed all that it has room for.
constexpr int kMostAtOnce = 128;
// The HTTP worker has as many before it as it may have under way: while these are claimed, it sends.
constexpr int kHttpAhead = 2;
constexpr std::size_t kMostOffers = kHttpInboxSize + std::size_t{pg::kMostJobWorkers} * kInboxSize;

bool waits(const Offer &offer) { return !offer.begun && !offer.ended && !offer.lost; }

bool is_slow(const Slot &slot, TimestampTz now) { return slot.count > 0 && now - slot.since > kSlow; }

bool has_alone(const Slot &slot) {
    return std::any_of(slot.offers, slot.offers + slot.count, [](const Offer &offer) { return offer.alone; });
}

void remove(Slot &slot, int n) {
    std::copy(slot.offers + n + 1, slot.offers + slot.count, slot.offers + n);
    --slot.count;
}

}  // namespace

void Places::sweep(Slot &slot) {
    int kept = 0;
    for (int n = 0; n < slot.count; ++n) {
        const Offer offer = slot.offers[n];
        if (offer.ended)
            seen_.ended.push_back({offer.id, offer.attempt});
        else if (offer.lost)
            seen_.lost.push_back({offer.id, offer.attempt});
        else
            slot.offers[kept++] = offer;
    }
    slot.count = kept;
}

void Places::view(bool reserve) {
    const TimestampTz now = GetCurrentTimestamp();
    int least = -1;
    bool idle = false;
    TimestampTz slow_at = DT_NOEND;
    for (int n = 0; n < pg::kMostJobWorkers; ++n) {
        const Slot &slot = queue_->workers[n];
        Worker &worker = workers_[n];
        worker = {};
        worker.alive = slot.pid != 0 && !slot.leaving && n < guc::job_workers;
        worker.outstanding = slot.count;
        if (slot.typical > 0) worker.target = static_cast<int>(std::clamp<int64>(kAhead / slot.typical, 1, kInboxSize));
        worker.alone = has_alone(slot);
        const bool slow = is_slow(slot, now);
        if (std::any_of(slot.offers, slot.offers + slot.count, waits)) {
            // Of a dead worker's, only what has to be alone finds nobody while all are busy.
            if (!worker.alive)
                reserve = true;
            else if (!slow)
                slow_at = std::min(slow_at, slot.since + kSlow + 1);
        }
        if (!worker.alive) continue;
        idle |= worker.idle();
        // What a slow job's worker is given would only be taken back again.
        if (!worker.alone && !slow && worker.outstanding * 4 <= worker.target * 3)
            worker.room = std::min(worker.target - worker.outstanding, kMostAtOnce);
        if (least < 0 || worker.outstanding < workers_[least].outstanding) least = n;
    }
    if (reserve && least >= 0) {
        workers_[least].reserved = true;
        workers_[least].room = 0;
    }
    sql_room_ = 0;
    for (const Worker &worker : workers_) sql_room_ += worker.room;
    http_runs_ = queue_->http.pid != 0 && !queue_->http.leaving;
    const int http_most = std::min(guc::http_concurrency * kHttpAhead, kHttpInboxSize);
    http_room_ = http_runs_ ? std::max(http_most - queue_->http.count, 0) : 0;
    http_ahead_ = std::max(http_most - guc::http_concurrency, 0);
    rebalance_at_ = idle ? slow_at : DT_NOEND;
}

// What waits where it cannot begin soon goes to who is idle; a dead worker's to whoever lives and comes on.
void Places::rebalance() {
    const TimestampTz now = GetCurrentTimestamp();
    for (Slot &from : queue_->workers) {
        const bool dead = from.pid == 0;
        if (from.count == 0 || (!dead && !is_slow(from, now))) continue;
        for (int n = 0; n < pg::kMostJobWorkers; ++n) {
            Slot &to = queue_->workers[n];
            if (&to == &from || to.pid == 0 || to.leaving || n >= guc::job_workers) continue;
            if (to.count > 0 && (!dead || has_alone(to) || is_slow(to, now))) continue;
            if (to.count == 0) to.since = now;
            to.claimed = std::max(to.claimed, from.claimed);
            const int half = dead ? from.count : (from.count + 1) / 2;
            for (int offer = 0, moved = 0; offer < from.count && moved < half && to.count < to.size;) {
                const Offer one = from.offers[offer];
                if (!waits(one) || (one.alone && to.count > 0)) {
                    ++offer;
                    continue;
                }
                to.offers[to.count++] = one;
                remove(from, offer);
                ++moved;
                if (one.alone) break;
            }
            if (to.count > 0) pg::wake(to.latch);
        }
    }
}

const Places::Seen &Places::look(bool reserve) {
    // Nothing may be raised under the lock: so much is reserved as there can be.
    seen_.ended.clear();
    seen_.lost.clear();
    seen_.ended.reserve(kMostOffers);
    seen_.lost.reserve(kMostOffers);
    const Locked locked(queue_);
    sweep(queue_->http);
    for (Slot &slot : queue_->workers) sweep(slot);
    rebalance();
    view(reserve);
    return seen_;
}

bool Places::has_idle() const {
    return std::any_of(std::begin(workers_), std::end(workers_), [](const Worker &worker) { return worker.idle(); });
}

int Places::plan(Class klass, bool alone) {
    if (klass == Class::kHttp) {
        --http_room_;
        return kHttp;
    }
    int best = -1;
    for (int n = 0; n < pg::kMostJobWorkers; ++n) {
        const Worker &worker = workers_[n];
        if (alone ? !worker.idle() : worker.room == 0) continue;
        // A reserved one first for who needs it; else who has the least to do.
        if (best < 0 || (alone && worker.reserved) || worker.outstanding < workers_[best].outstanding) best = n;
    }
    if (best < 0) return best;
    Worker &worker = workers_[best];
    ++worker.outstanding;
    if (worker.room > 0) {
        const int taken = alone ? worker.room : 1;
        worker.room -= taken;
        sql_room_ -= taken;
    }
    return best;
}

void Places::give(const std::vector<Given> &given, XLogRecPtr claimed) {
    const Locked locked(queue_);
    const TimestampTz now = GetCurrentTimestamp();
    for (const Given &one : given) {
        Slot &to = slot(one.place);
        to.claimed = claimed;
        if (to.count == to.size) continue;  // never: room is less; and if, a foreman that starts anew finds it
        if (to.count == 0) to.since = now;
        to.offers[to.count++] = {.id = one.id.id,
                                 .row = one.id.row,
                                 .attempt = one.id.attempt,
                                 .begun = false,
                                 .ended = false,
                                 .cancelled = false,
                                 .alone = one.alone,
                                 .lost = false,
                                 .sent = false,
                                 .tries = 0};
    }
    bool woken[pg::kMostJobWorkers + 1] = {};
    for (const Given &one : given)
        if (!std::exchange(woken[one.place - kHttp], true)) pg::wake(slot(one.place).latch);
}

Places::Cancel Places::cancel(int64 id) {
    const Locked locked(queue_);
    for (int place = kHttp; place < pg::kMostJobWorkers; ++place) {
        Slot &here = slot(place);
        for (int n = 0; n < here.count; ++n) {
            Offer &offer = here.offers[n];
            if (offer.id != id || offer.ended) continue;
            if (waits(offer)) {
                remove(here, n);
                return Cancel::kTakenBack;
            }
            offer.cancelled = true;
            if (here.running == id) {
                here.cancel = id;
                if (here.pid != 0) kill(here.pid, SIGUSR2);
            }
            pg::wake(here.latch);
            return Cancel::kTold;
        }
    }
    return Cancel::kUnknown;
}

std::vector<AttemptId> Places::held() const {
    std::vector<AttemptId> all;
    all.reserve(kMostOffers);
    const Locked locked(queue_);
    const auto add = [&](const Slot &slot) {
        for (int n = 0; n < slot.count; ++n) all.push_back({slot.offers[n].id, slot.offers[n].attempt});
    };
    add(queue_->http);
    for (const Slot &slot : queue_->workers) add(slot);
    return all;
}

}  // namespace pulse::queue
