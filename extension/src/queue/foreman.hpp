// The foreman: one process a database, the only one that claims jobs. So concurrency, rates, the order of keys and priorities, marks and
// leases are facts of one process's memory, exact without a counter that is shared; when it dies, all of it is read again from the tables.
// README.md draws it.
#pragma once

#include "pg/spi.hpp"
#include "pg/worker.hpp"
#include "queue/claim.hpp"
#include "queue/hosts.hpp"
#include "queue/keys.hpp"
#include "queue/lanes.hpp"
#include "queue/limiter.hpp"
#include "queue/places.hpp"

#include <map>
#include <set>
#include <unordered_map>

namespace pulse::queue {

class Foreman {
public:
    Foreman(pg::DatabaseEntry *entry, Queue *queue) : entry_(entry), queue_(queue), places_(queue) {}
    [[noreturn]] void run();

private:
    // Rows that one pass walks over in one lane without finding what it looks for; it reads as many at first as there is room for (of a
    // host's so many), but not fewer or more than so many.
    static constexpr int kMostWalked = 2000, kPeek = 32, kLeastPeeked = 8, kMostPeeked = 512;

    // What is known of a queue in which something waits or runs.
    struct State {
        Limiter limiter;
        bool paused = false, events = false;
        std::uint64_t settings_read = 0;  // which reading of the settings these are
    };
    struct Running {
        int attempt;
        std::map<std::string, State>::iterator queue;
        std::optional<std::string> key;
        Class klass;
        TimestampTz lease_until;
        std::string host;
        std::uint64_t pass = 0;  // which chose it
    };
    struct Chosen {
        Candidate job;
        int place;  // of a worker; of external jobs the request
        bool alone;
    };

    template <class F>
    void in_transaction(F &&f) {
        const bool there = pg::extension_transaction([&] {
            const pg::SpiSession spi;
            f();
        });
        if (!there) pg::end_without_extension();
    }

    // foreman.cpp: what others tell
    void hear();
    void look_at_clocks();
    bool has_work() const;
    void wait_for_more();
    bool may_sleep();
    TimestampTz next_time();
    // recover.cpp: attempts that end otherwise than by their worker
    void recover();
    bool check_origin();
    void end_orphans(bool knows);
    void job_ended(int64 id);
    void attempt_ended(const AttemptId &attempt);  // unless another one runs
    void end_all(const std::vector<Executing> &jobs, Outcome::What what, const char *error);
    void end_held(const std::vector<AttemptId> &attempts, Outcome::What what, const char *error);
    void forget_ended_outside();
    void expire_leases();
    void fail_lost();
    void carry_out_cancels();
    void now_running(const Executing &job);
    // pass.cpp: claiming
    void commit_claims();
    bool may_give_early() const;
    void claim_pass();
    void look_everywhere();
    void look_at_locked();
    bool is_locked(const Candidate &job) const;
    void look_at_keys();
    void take_from(Lanes::Entry &entry);
    bool take(const Candidate &job);
    bool is_free_key(const Candidate &job);
    int room(const LaneName &lane);
    void claim_chosen();
    void claim_fetched();
    bool any_has_events(const std::vector<const Candidate *> &jobs) const;
    void announce(const std::vector<Claimed> &claimed);
    void undo(const Chosen &chosen);
    bool open(const LaneName &name, const Lanes::Lane &lane);
    bool has_room(const std::string &queue);
    bool place_for(const Candidate &job);
    std::map<std::string, State>::iterator state_of(const std::string &queue);
    // shares.cpp: which host's deliveries may begin
    int places_for(const Candidate &job);
    bool waits_for_host(const Candidate &job);
    void waits_early(const Candidate &job);
    bool host_is_due();
    void look_at_host(const Hosts::Look &look);
    void look_at_hosts();
    // fetch.cpp: requests of outside workers
    void read_requests();
    int request_for(const std::string &queue) const;
    void answer_requests();
    // chores.cpp: what is done once in a while
    void do_chores();
    TimestampTz next_chore() const;

    struct Request {
        bool open = false;
        uint64 ticket = 0;
        std::string queue, worker;
        int room = 0;
        int64 lease = 0;
        std::vector<AttemptId> got;
    };

    pg::DatabaseEntry *entry_;
    Queue *queue_;
    Places places_;
    Lanes lanes_;
    Keys keys_;
    Hosts hosts_;
    std::uint64_t host_looks_ = 0, pass_ = 0;
    std::map<std::string, State> queues_;
    std::unordered_map<int64, Running> running_;
    std::set<std::pair<TimestampTz, int64>> leases_;
    Request requests_[kFetchRequests];

    // heard, and to be done in the next transaction
    bool look_ = true, settings_ = true, check_outside_ = false, schedules_ = true, waits_for_idle_ = false;
    std::vector<int64> cancels_, ended_outside_;
    std::vector<AttemptId> unfetched_;  // claimed for a session that has gone meanwhile
    std::vector<AttemptId> lost_;
    // Attempts that are to be ended, whose rows somebody holds: tried again then.
    std::vector<AttemptId> stuck_;
    TimestampTz stuck_until_ = 0;
    // Jobs that could not be claimed, since somebody holds their rows: passed by until then. None: DT_NOEND.
    std::unordered_map<int64, Candidate> locked_;
    TimestampTz locked_until_ = DT_NOEND;
    // Jobs that wait again, although we have not heard of their attempt's end yet.
    std::unordered_map<int64, Candidate> early_;

    bool has_ended_ = false;  // attempts, in this pass
    std::vector<Chosen> chosen_;
    std::vector<Places::Given> given_;
    std::uint64_t settings_reading_ = 0;
    TimestampTz now_ = 0;
    int64 steady_ = 0;                      // µs of the clock for the limiters
    TimestampTz looked_at_ = 0;             // when we looked everywhere last …
    TimestampTz look_again_at_ = DT_NOEND;  // … and when, if at all, we will again
    int64 look_took_ = 0;
    TimestampTz chore_at_ = 0, schedule_at_ = DT_NOEND;
};

}  // namespace pulse::queue
