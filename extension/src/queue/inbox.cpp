// A worker's offers, under the lock of the queue's memory.
#include "queue/inbox.hpp"

#include "pg/worker.hpp"
#include "queue/finish.hpp"
#include "queue/load.hpp"
#include "queue/run.hpp"
#include "queue/shared.hpp"

#include <algorithm>

namespace pulse::queue {

// They are asked for in the order in which they lie there, but for what the foreman has taken out meanwhile.
static Offer *find(Slot *slot, const AttemptId &attempt) {
    static int expected = 0;
    for (int n = 0, at = expected < slot->count ? expected : 0; n < slot->count; ++n, at = at + 1 < slot->count ? at + 1 : 0) {
        Offer &offer = slot->offers[at];
        if (offer.id != attempt.id || offer.attempt != attempt.attempt) continue;
        expected = at + 1;
        return &offer;
    }
    return nullptr;
}

std::vector<AttemptId> waiting(int most) {
    AttemptId found[kHttpInboxSize];
    int count = 0;
    Slot *slot = my_slot();
    {
        const Locked locked(memory());
        for (int n = 0; n < slot->count && count < most; ++n) {
            const Offer &offer = slot->offers[n];
            if (!offer.begun && !offer.ended && !offer.lost) found[count++] = {offer.id, offer.attempt, offer.row};
        }
    }
    return {found, found + count};
}

bool begun(const AttemptId &attempt) {
    Slot *slot = my_slot();
    const Locked locked(memory());
    Offer *offer = find(slot, attempt);
    if (offer == nullptr || offer->ended || offer->lost) return false;
    offer->begun = true;
    slot->running = attempt.id;
    slot->cancel = offer->cancelled ? attempt.id : 0;
    slot->since = GetCurrentTimestamp();
    return true;
}

void through() {
    Slot *slot = my_slot();
    const Locked locked(memory());
    slot->running = 0;
    slot->since = GetCurrentTimestamp();
}

void ended(std::span<const AttemptId> attempts) {
    Slot *slot = my_slot();
    {
        const Locked locked(memory());
        slot->since = GetCurrentTimestamp();
        for (const AttemptId &attempt : attempts)
            if (Offer *offer = find(slot, attempt)) offer->ended = true;
    }
    wake_foreman(memory());
}

void sent(std::span<const AttemptId> attempts) {
    Slot *slot = my_slot();
    const Locked locked(memory());
    for (const AttemptId &attempt : attempts)
        if (Offer *offer = find(slot, attempt)) offer->sent = true;
}

std::vector<AttemptId> cancelled() {
    AttemptId found[kHttpInboxSize];
    int count = 0;
    Slot *slot = my_slot();
    {
        const Locked locked(memory());
        for (int n = 0; n < slot->count; ++n) {
            const Offer &offer = slot->offers[n];
            if (offer.begun && offer.cancelled && !offer.ended) found[count++] = {offer.id, offer.attempt};
        }
    }
    return {found, found + count};
}

void give_back(const std::vector<AttemptId> &attempts, const std::string &worker) {
    if (attempts.empty()) return;
    (void)pg::extension_transaction([&] {
        const OwnCode own;
        const pg::SpiSession spi;
        const std::vector<Attempt> jobs = load(attempts, worker);
        std::vector<Ended> returned;
        const TimestampTz now = GetCurrentTimestamp();
        for (const Attempt &job : jobs)
            if (begun(job.key())) returned.push_back({&job, {.what = Outcome::kReturned}, now, now});
        through();
        finish(returned);
    });
    ended(attempts);
}

}  // namespace pulse::queue
