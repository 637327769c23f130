// Where each part lies, and the locks.
#include "ephemeral/memory.hpp"

#include "guc.hpp"
#include "pg/shmem.hpp"

namespace pulse::ephemeral {

namespace {

struct Head {
    std::uint64_t seeds[2];
    LWLock *ring_lock, *sampler_lock;
    Index chunks, entries;  // as pulse.ephemeral_memory was when it was made
    std::size_t throttles_at, sampler_at, bytes;
};

Head *memory = nullptr;
shmem_request_hook_type previous_request = nullptr;
shmem_startup_hook_type previous_startup = nullptr;

// A quarter for what throttles and samples remember of their keys; the rest holds events, some of which wait for their throttle.
Head layout() {
    Head head{};
    const std::size_t total = static_cast<std::size_t>(guc::ephemeral_memory) * 1024;
    const std::size_t each = Throttles::bytes(1024) / 1024 + Sampler::bytes(1024) / 1024;
    head.entries = static_cast<Index>(std::max<std::size_t>(total / 4 / each, 16));
    const std::size_t ring_at = MAXALIGN(sizeof(Head));
    const std::size_t keys = MAXALIGN(Throttles::bytes(head.entries)) + MAXALIGN(Sampler::bytes(head.entries));
    const std::size_t per_chunk = Ring::bytes(2) - Ring::bytes(1);
    head.chunks = static_cast<Index>((total - std::min(total, keys + Ring::bytes(0) + ring_at)) / per_chunk);
    head.chunks = std::max<Index>(head.chunks, 64);  // one event of the largest size, and a few more
    head.throttles_at = ring_at + MAXALIGN(Ring::bytes(head.chunks));
    head.sampler_at = head.throttles_at + MAXALIGN(Throttles::bytes(head.entries));
    head.bytes = head.sampler_at + MAXALIGN(Sampler::bytes(head.entries));
    return head;
}

void *part(std::size_t at) { return reinterpret_cast<char *>(memory) + at; }
Ring ring() { return Ring(part(MAXALIGN(sizeof(Head)))); }
Throttles throttles() { return Throttles(part(memory->throttles_at), memory->entries, ring()); }
Sampler sampler() { return Sampler(part(memory->sampler_at), memory->entries); }

void on_request() {
    if (previous_request != nullptr) previous_request();
    RequestAddinShmemSpace(layout().bytes);
    RequestNamedLWLockTranche("pulse_ephemeral", 2);
}

void on_startup() {
    if (previous_startup != nullptr) previous_startup();
    const Head head = layout();
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    memory = static_cast<Head *>(ShmemInitStruct("pulse_ephemeral", head.bytes, &found));
    if (!found) {
        *memory = head;
        LWLockPadded *locks = GetNamedLWLockTranche("pulse_ephemeral");
        memory->ring_lock = &locks[0].lock;
        memory->sampler_lock = &locks[1].lock;
        if (!pg_strong_random(memory->seeds, sizeof memory->seeds)) elog(ERROR, "no random numbers for the seeds of pulse");
        ring().format(head.chunks);
        throttles().format();
        sampler().format();
    }
    LWLockRelease(AddinShmemInitLock);
}

Index my_queue() { return static_cast<Index>(pg::my_database() - pg::shared()->databases); }

}  // namespace

void request_memory() {
    previous_request = shmem_request_hook;
    shmem_request_hook = on_request;
    previous_startup = shmem_startup_hook;
    shmem_startup_hook = on_startup;
}

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Key key_of(std::string_view text) {
    const auto hash = [&](std::uint64_t seed) {
        const auto *bytes = reinterpret_cast<const unsigned char *>(text.data());
        return hash_bytes_extended(bytes, static_cast<int>(text.size()), seed ^ MyDatabaseId);
    };
    return {hash(memory->seeds[0]), hash(memory->seeds[1])};
}

bool is_there() { return memory != nullptr && pg::my_database() != nullptr; }

void require_memory(const char *what) {
    if (is_there()) return;
    if (memory != nullptr)
        pg::fail(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, std::string(what) + ": too many databases use pulse", {},
                 "At most 64 databases of a cluster can.");
    const char *libraries = pg::call([] { return GetConfigOption("shared_preload_libraries", true, false); });
    const std::string others = libraries == nullptr || libraries[0] == '\0' ? "" : std::string(libraries) + ",";
    pg::fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, std::string(what) + ": pulse is not preloaded", {},
             "Set shared_preload_libraries = '" + others + "pulse' in postgresql.conf and restart the server.");
}

// The entry of a database may have been another's, which was dropped.
static void claim(Ring ring, Throttles throttles, Index mine) {
    if (ring.queue(mine).database == MyDatabaseId) return;
    throttles.forget(mine);
    ring.clear(mine);
    ring.queue(mine).database = MyDatabaseId;
}

Locked::Locked() : mine(my_queue()), ring(ephemeral::ring()), throttles(ephemeral::throttles()) {
    LWLockAcquire(memory->ring_lock, LW_EXCLUSIVE);
    claim(ring, throttles, mine);
}
Locked::~Locked() { LWLockRelease(memory->ring_lock); }

void wake_dispatchers(std::uint64_t queues) {
    for (Index i = 0; i < kQueues; ++i)
        if ((queues >> i & 1) != 0) pg::wake_dispatcher(&pg::shared()->databases[i]);
}

bool take_sample(const Key &key, std::uint64_t every) {
    LWLockAcquire(memory->sampler_lock, LW_EXCLUSIVE);
    const bool taken = sampler().take(key, every);
    LWLockRelease(memory->sampler_lock);
    return taken;
}

}  // namespace pulse::ephemeral
