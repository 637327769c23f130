// The queue's shared memory, one piece a database: news for the foreman, the workers' inboxes, and requests of fetch_jobs. Nothing here
// may be lost for good: the foreman can read all of it from the tables. What lives here is drawn in README.md.
#pragma once

#include "pg/guard.hpp"
#include "pg/shmem.hpp"
#include "queue/lanes.hpp"

namespace pulse::queue {

constexpr int kMostLanesTold = 128, kMostQueueBytes = 255;
constexpr int kMostShut = 32;
constexpr int kMostCancels = 64, kMostEnded = 256;
constexpr int kInboxSize = 512, kHttpInboxSize = 1024;
constexpr int kFetchRequests = 16, kMostFetched = 100, kMostWorkerBytes = 63;

struct LaneNews {
    char queue[kMostQueueBytes + 1];
    int priority, klass;
    TimestampTz run_at;
    int64 id;
};

// A job that the foreman has given to a worker.
struct Offer {
    int64 id;
    uint64 row;  // as of AttemptId
    int attempt;
    bool begun, ended, cancelled;
    bool alone;  // nothing else is given to the worker beside it
    bool lost;   // its worker ended while it ran
    bool sent;   // what it asks for may have reached somebody outside
    int tries;   // workers that ended after they had begun it, none of them while it ran
};

// A worker's place. `offers` are in the order in which they were given.
struct Slot {
    pid_t pid;
    Latch *latch;
    int64 running;       // id of the job whose code runs now; 0: none
    TimestampTz since;   // when it last came on: was given something, began a job, went to end its transaction, or had ended it
    int64 cancel;        // id of the running job that is to be cancelled; read by a signal handler
    int64 typical;       // µs that its jobs take lately; 0: not known
    XLogRecPtr claimed;  // nothing of `offers` begins before this is on disk
    bool leaving;        // it was told to end, and is given nothing more; set by a signal handler
    int count, size;
    Offer *offers;
};

// kUnread: whoever asked has gone before it had its answer.
enum class Fetch : int { kFree, kAsked, kAnswered, kUnread };

// Somebody outside waits for jobs.
struct FetchRequest {
    Fetch state;
    uint64 ticket;  // another one for each request in this place
    bool waits;     // else it is answered at once, with nothing if need be
    Latch *latch;
    char queue[kMostQueueBytes + 1], worker[kMostWorkerBytes + 1];
    int most;
    int64 lease;  // µs
    int count;
    int64 ids[kMostFetched];
    int attempts[kMostFetched];
};

struct Queue {
    LWLock *lock;  // first: it is never written again
    Oid database;  // whose it is: an entry may come to belong to another one
    pid_t foreman_pid;
    Latch *foreman;
    bool knows;           // a foreman has served this memory: what executes and is in no inbox was never begun
    bool look;            // news were lost: look everywhere
    bool settings;        // settings have changed
    bool reload_running;  // news of cancels or ends were lost
    int lanes_told, cancels, ended;
    LaneNews news[kMostLanesTold];
    int64 cancel_ids[kMostCancels];
    int64 ended_ids[kMostEnded];
    // Where nothing can begin, whatever is told, before the foreman comes on for another reason (a job ends, a limit's time is over,
    // somebody resumes the queue or fetches): who tells of jobs there need not wake it. Written by the foreman before it sleeps.
    bool shut_classes[kClasses];
    int shut;
    char shut_queues[kMostShut][kMostQueueBytes + 1];
    Slot http, workers[pg::kMostJobWorkers];
    FetchRequest fetches[kFetchRequests];
    // Last: memory that nobody has used is nobody's.
    Offer http_offers[kHttpInboxSize], worker_offers[pg::kMostJobWorkers][kInboxSize];
};

void request_memory();  // from _PG_init while preloading
// This database's piece; null when pulse is not preloaded or there are too many databases.
Queue *memory();

// Holds the lock of a piece for a scope that raises nothing.
class Locked {
public:
    explicit Locked(Queue *queue) : queue_(queue) { LWLockAcquire(queue_->lock, LW_EXCLUSIVE); }
    ~Locked() { LWLockRelease(queue_->lock); }
    Locked(const Locked &) = delete;
    Locked &operator=(const Locked &) = delete;

private:
    Queue *queue_;
};

void wake_foreman(Queue *queue);

// Whether news of a lane can wait until the foreman comes on. With the lock.
bool is_shut(const Queue &queue, std::string_view name, int klass);
// Whether news are there that wait for nothing. With the lock.
bool has_more_than_jobs(const Queue &queue);

// The place of this process: a job worker's by number, or the HTTP worker's. It is given up at the end of the process.
Slot *take_slot(Queue *queue, int worker);
Slot *take_http_slot(Queue *queue);
Slot *my_slot();  // null: none was taken

}  // namespace pulse::queue
