// The workers as the foreman sees them: who has room for how much, who is to have a claimed job, and what they have ended. Only the
// foreman uses it.
#pragma once

#include "queue/attempt.hpp"
#include "queue/lanes.hpp"
#include "queue/shared.hpp"

namespace pulse::queue {

class Places {
public:
    explicit Places(Queue *queue) : queue_(queue) {}

    // Takes what has ended or was lost with its worker out of the inboxes, moves what waits behind a slow job or in a dead worker's inbox
    // to somebody who is free, and looks at everybody's room. `reserve`: somebody is to become idle, so the one with the least to do
    // gets nothing.
    struct Seen {
        std::vector<AttemptId> ended, lost;
    };
    const Seen &look(bool reserve);  // good until the next

    // Room as of the last look, less what was planned since.
    int room(Class klass) const { return klass == Class::kSql ? sql_room_ : claims_ahead_ ? http_room_ : room_now(); }
    // Of the HTTP worker without what is claimed ahead: so many could be sent at once.
    int room_now() const { return std::max(http_room_ - http_ahead_, 0); }
    // Whether the HTTP worker is given more than it can send at once.
    void claim_ahead(bool ahead) { claims_ahead_ = ahead; }
    bool has_idle() const;
    bool http_runs() const { return http_runs_; }
    // Whose a job shall be, if it can be claimed. `alone`: of somebody who has nothing else. Call only when there is room.
    int plan(Class klass, bool alone);
    // Puts claimed jobs into the inboxes, and wakes their owners. They begin when the claim, which ends at `claimed`, is on disk.
    struct Given {
        AttemptId id;
        int place;
        bool alone;
    };
    void give(const std::vector<Given> &given, XLogRecPtr claimed);
    // Somebody cancelled a running job. kTakenBack: it had not begun, nobody has it any more; kTold: whoever works on it knows.
    enum class Cancel { kUnknown, kTakenBack, kTold };
    Cancel cancel(int64 id);
    // All that is in the inboxes.
    std::vector<AttemptId> held() const;

    // When somebody will turn out to be slow while another one is free; DT_NOEND: never.
    TimestampTz rebalance_at() const { return rebalance_at_; }

private:
    static constexpr int kHttp = -1;
    struct Worker {
        bool alive = false, alone = false, reserved = false;
        int outstanding = 0, target = 1, room = 0;
        bool idle() const { return alive && outstanding == 0; }
    };
    Slot &slot(int place) { return place == kHttp ? queue_->http : queue_->workers[place]; }
    void sweep(Slot &slot);
    void rebalance();
    void view(bool reserve);

    Queue *queue_;
    Seen seen_;
    Worker workers_[pg::kMostJobWorkers];
    int sql_room_ = 0, http_room_ = 0, http_ahead_ = 0;  // http_ahead_: what of http_room_ is for later
    bool http_runs_ = false, claims_ahead_ = true;
    TimestampTz rebalance_at_ = DT_NOEND;
};

}  // namespace pulse::queue
