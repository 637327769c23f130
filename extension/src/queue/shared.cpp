// Reservation, and the places of processes.
#include "queue/shared.hpp"

#include <cstddef>
#include <cstring>

namespace pulse::queue {

static Queue *pieces = nullptr;
static Slot *my_place = nullptr;
static shmem_request_hook_type previous_request = nullptr;
static shmem_startup_hook_type previous_startup = nullptr;
constexpr const char *kTranche = "pulse queue";

static void on_request() {
    if (previous_request != nullptr) previous_request();
    RequestAddinShmemSpace(mul_size(MAXALIGN(sizeof(Queue)), pg::kMaxDatabases));
    RequestNamedLWLockTranche(kTranche, pg::kMaxDatabases);
}

// The lock is there from the start of the server on: who waits for it reads it without one.
static void init(Queue &queue, Oid database) {
    constexpr std::size_t kFirst = offsetof(Queue, database);
    std::memset(reinterpret_cast<char *>(&queue) + kFirst, 0, offsetof(Queue, http_offers) - kFirst);
    queue.http.offers = queue.http_offers;
    queue.http.size = kHttpInboxSize;
    for (int worker = 0; worker < pg::kMostJobWorkers; ++worker) {
        queue.workers[worker].offers = queue.worker_offers[worker];
        queue.workers[worker].size = kInboxSize;
    }
    pg_write_barrier();
    queue.database = database;
}

static void on_startup() {
    if (previous_startup != nullptr) previous_startup();
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    pieces = static_cast<Queue *>(ShmemInitStruct(kTranche, mul_size(MAXALIGN(sizeof(Queue)), pg::kMaxDatabases), &found));
    if (!found) {
        LWLockPadded *locks = GetNamedLWLockTranche(kTranche);
        for (int n = 0; n < pg::kMaxDatabases; ++n) {
            pieces[n].lock = &locks[n].lock;
            init(pieces[n], InvalidOid);
        }
    }
    LWLockRelease(AddinShmemInitLock);
}

void request_memory() {
    previous_request = shmem_request_hook;
    shmem_request_hook = on_request;
    previous_startup = shmem_startup_hook;
    shmem_startup_hook = on_startup;
}

Queue *memory() {
    if (pieces == nullptr) return nullptr;
    const pg::DatabaseEntry *entry = pg::my_database();
    if (entry == nullptr) return nullptr;
    Queue *queue = &pieces[entry - pg::shared()->databases];
    if (queue->database != MyDatabaseId) {
        LWLockAcquire(queue->lock, LW_EXCLUSIVE);
        if (queue->database != MyDatabaseId) init(*queue, MyDatabaseId);
        LWLockRelease(queue->lock);
    }
    return queue;
}

void wake_foreman(Queue *queue) { pg::wake(queue->foreman); }

bool is_shut(const Queue &queue, std::string_view name, int klass) {
    if (queue.shut_classes[klass]) return true;
    for (int n = 0; n < queue.shut; ++n)
        if (name == queue.shut_queues[n]) return true;
    return false;
}

bool has_more_than_jobs(const Queue &queue) {
    return queue.look || queue.settings || queue.reload_running || queue.cancels > 0 || queue.ended > 0;
}

// A job that is innocent of its worker's end this often (it was rolled back with another one, or ended meanwhile) is taken for guilty.
constexpr int kMostTries = 3;

// What the worker had begun: the job whose code ran has lost its attempt. What ran in the same transaction before it is rolled back
// with it, and begins again elsewhere; when that was committed, whoever begins it will not find it. Of deliveries those were under way
// that libcurl was given.
static void leave_offers(Slot &slot) {
    for (int n = 0; n < slot.count; ++n) {
        Offer &offer = slot.offers[n];
        if (!offer.begun || offer.ended) continue;
        if (offer.sent || offer.id == slot.running || ++offer.tries >= kMostTries)
            offer.lost = true;
        else
            offer.begun = false;
    }
    slot.running = 0;
}

static void leave_slot(int, Datum piece) {
    pg::callback("the end of a job worker", [=] {
        auto *queue = reinterpret_cast<Queue *>(DatumGetPointer(piece));
        LWLockAcquire(queue->lock, LW_EXCLUSIVE);
        leave_offers(*my_place);
        my_place->pid = 0;
        my_place->latch = nullptr;
        LWLockRelease(queue->lock);
        wake_foreman(queue);
    });
}

static Slot *take(Queue *queue, Slot *slot) {
    {
        const Locked locked(queue);
        slot->pid = MyProcPid;
        slot->leaving = false;
        slot->latch = MyLatch;
        slot->cancel = 0;
        slot->typical = 0;
        slot->since = GetCurrentTimestamp();
    }
    my_place = slot;
    on_shmem_exit(leave_slot, PointerGetDatum(queue));
    wake_foreman(queue);
    return slot;
}

Slot *take_slot(Queue *queue, int worker) { return take(queue, &queue->workers[worker]); }
Slot *take_http_slot(Queue *queue) { return take(queue, &queue->http); }
Slot *my_slot() { return my_place; }

}  // namespace pulse::queue
