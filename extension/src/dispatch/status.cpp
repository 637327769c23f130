// What pulse.status() cannot read from tables: shared memory and settings, as one JSON object. Reads only.
#include "ephemeral/memory.hpp"
#include "guc.hpp"
#include "json/slice.hpp"
#include "pg/extension.hpp"
#include "pg/shmem.hpp"
#include "pg/spi.hpp"

#include <cstring>

namespace pulse::dispatch {

namespace {

struct Names {
    std::string json = "[]";
    bool has_mine = false;
};

Names named_databases() {
    Names result;
    List *names = NIL;
    const char *mine = pg::call([&]() -> const char * {
        if (!SplitIdentifierString(pstrdup(guc::databases == nullptr ? "" : guc::databases), ',', &names)) names = NIL;
        return get_database_name(MyDatabaseId);
    });
    result.json = "[";
    ListCell *cell;
    foreach (cell, names) {
        const std::string_view name = static_cast<const char *>(lfirst(cell));
        if (result.json.size() > 1) result.json += ',';
        json::append_quoted(result.json, name);
        result.has_mine = result.has_mine || (mine != nullptr && name == mine);
    }
    result.json += ']';
    return result;
}

std::string counters(const pg::DatabaseEntry *entry) {
    using Entry = pg::DatabaseEntry;
    static constexpr struct {
        const char *name;
        pg_atomic_uint64 Entry::*counter;
    } kCounters[] = {{"dispatchedEvents", &Entry::dispatched_events},
                     {"ticks", &Entry::ticks},
                     {"notifications", &Entry::notifications},
                     {"wakeUps", &Entry::wakeups},
                     {"quarantined", &Entry::quarantined},
                     {"legacyDropped", &Entry::legacy_dropped},
                     {"skippedRooms", &Entry::skipped_rooms},
                     {"warnedEvents", &Entry::warned_events},
                     {"policyErrors", &Entry::policy_errors},
                     {"rateLimited", &Entry::rate_limited},
                     {"limitsFull", &Entry::limits_full},
                     {"jobsDone", &Entry::jobs_done},
                     {"jobsFailed", &Entry::jobs_failed}};
    std::string result = "{";
    for (const auto &one : kCounters) {
        const uint64 value = entry == nullptr ? 0 : pg_atomic_read_u64(const_cast<pg_atomic_uint64 *>(&(entry->*one.counter)));
        result += (result.size() > 1 ? ",\"" : "\"") + std::string(one.name) + "\":" + std::to_string(value);
    }
    ephemeral::Ring::Queue ephemeral{};
    if (ephemeral::is_there()) {
        ephemeral::Locked memory;
        ephemeral = memory.ring.queue(memory.mine);
    }
    const std::pair<const char *, std::uint64_t> counted[] = {
        {"ephemeralEvents", ephemeral.sent}, {"ephemeralDropped", ephemeral.dropped}, {"ephemeralReplaced", ephemeral.replaced}};
    for (const auto &[name, value] : counted) result += ",\"" + std::string(name) + "\":" + std::to_string(value);
    return result + '}';
}

}  // namespace

static std::string memory_status() {
    const Names names = named_databases();
    const pg::DatabaseEntry *entry = pg::my_database();
    pid_t launcher = 0, dispatcher = 0, worker = 0;
    bool short_of_workers = false;
    std::string retention_waits;
    if (entry != nullptr) {
        LWLockAcquire(pg::shared()->lock, LW_SHARED);
        launcher = pg::shared()->launcher_pid;
        dispatcher = entry->process(pg::WorkerRole::kDispatcher).pid;
        // Jobs run when both are there.
        if (entry->process(pg::WorkerRole::kForeman).pid != 0) worker = entry->process(pg::WorkerRole::kJobs).pid;
        short_of_workers = pg::shared()->short_of_workers;
        char waits[sizeof entry->retention_waits];
        std::memcpy(waits, entry->retention_waits, sizeof waits);
        LWLockRelease(pg::shared()->lock);
        retention_waits = waits;
    }
    const auto atomic = [&](pg_atomic_uint64 pg::DatabaseEntry::*field) {
        return entry == nullptr ? uint64{0} : pg_atomic_read_u64(const_cast<pg_atomic_uint64 *>(&(entry->*field)));
    };
    const auto flag = [](bool value) { return std::string(value ? "true" : "false"); };
    const auto pid = [](pid_t value) { return value == 0 ? std::string("null") : std::to_string(value); };
    // Microseconds since 1970, so that SQL can make a time of it.
    const uint64 last_tick = atomic(&pg::DatabaseEntry::last_tick_at);
    const int64 epoch_shift = int64{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;
    return "{\"preloaded\":" + flag(pg::shared() != nullptr) + ",\"databases\":" + names.json + ",\"named\":" + flag(names.has_mine) +
           ",\"full\":" + flag(pg::shared() != nullptr && entry == nullptr) + ",\"launcherPid\":" + pid(launcher) +
           ",\"dispatcherPid\":" + pid(dispatcher) + ",\"workerPid\":" + pid(worker) + ",\"shortOfWorkers\":" + flag(short_of_workers) +
           ",\"failedTicks\":" + std::to_string(entry == nullptr ? 0 : entry->failed_ticks) +
           ",\"backlog\":" + std::to_string(atomic(&pg::DatabaseEntry::backlog)) + ",\"version\":\"" + pg::kVersion +
           "\",\"lastTick\":" + (last_tick == 0 ? "null" : std::to_string(static_cast<int64>(last_tick) + epoch_shift)) +
           ",\"retentionWaits\":" + (retention_waits.empty() ? "null" : json::quoted(retention_waits)) +
           ",\"counters\":" + counters(entry) + "}";
}

}  // namespace pulse::dispatch

PULSE_FN(pulse_memory_status) { return pulse::pg::text_datum(pulse::dispatch::memory_status()); }
