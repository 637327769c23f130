// The dispatcher process: one a database. Ticks when a commit wakes it, pauses under load so that batches grow, looks by
// itself only at the slow safety interval. Any error ends it; the launcher starts it again. README.md draws the states.
#include "dispatch/announcer.hpp"
#include "dispatch/ephemeral.hpp"
#include "dispatch/housekeeping.hpp"
#include "dispatch/pacing.hpp"
#include "dispatch/tick.hpp"
#include "guc.hpp"
#include "pg/standby.hpp"
#include "pg/worker.hpp"

namespace pulse::dispatch {

namespace {

double seconds_now() { return static_cast<double>(GetCurrentTimestamp()) / 1e6; }

// Plans that stay right whatever the tables' statistics say; commits that reach the disk, and no wait for standbys inside them.
void set_session() {
    pg::call([] {
        struct {
            const char *name, *value;
        } const settings[] = {{"enable_seqscan", "off"},
                              {"enable_bitmapscan", "off"},
                              {"enable_mergejoin", "off"},
                              {"plan_cache_mode", "force_generic_plan"},
                              {"jit", "off"},
                              {"max_parallel_workers_per_gather", "0"},
                              {"synchronous_commit", "local"}};
        for (const auto &setting : settings) SetConfigOption(setting.name, setting.value, PGC_SUSET, PGC_S_SESSION);
    });
}

// Counts a tick that ends in an error, which ends this process: the next one is careful.
class FailureCount {
public:
    explicit FailureCount(pg::DatabaseEntry *entry) : entry_(entry), exceptions_(std::uncaught_exceptions()) {}
    ~FailureCount() {
        if (std::uncaught_exceptions() > exceptions_) ++entry_->failed_ticks;
    }
    FailureCount(const FailureCount &) = delete;
    FailureCount &operator=(const FailureCount &) = delete;

private:
    pg::DatabaseEntry *entry_;
    int exceptions_;
};

class Dispatcher {
public:
    explicit Dispatcher(pg::DatabaseEntry *entry) : entry_(entry) {}
    void run();

private:
    void open();
    TickResult tick_once();
    void pause(double ms);
    void sleep();

    pg::DatabaseEntry *entry_;
    Backlog backlog_;
    BridgeAnnouncer announcer_;
    EphemeralEvents ephemeral_;
    Pacing pacing_;
    Housekeeping housekeeping_;
};

// The epoch, and whom the bridges listen to.
void Dispatcher::open() {
    bool gone = false;
    pg::transaction([&] {
        gone = !lock_dispatch();
        if (gone) return;
        pg::call([] { PushActiveSnapshot(GetLatestSnapshot()); });
        {
            const pg::SpiSession spi;
            const std::int64_t head = load_progress().last_position;
            announcer_.start(current_epoch(head), head);
        }
        pg::call([] { PopActiveSnapshot(); });
    });
    if (gone) pg::end_without_extension();
    ephemeral_.start();
}

TickResult Dispatcher::tick_once() {
    // Cleared before the snapshot: a commit that this tick does not see sets it again.
    pg_atomic_write_u32(&entry_->dispatcher_work, 0);
    pg_memory_barrier();
    TickResult result;
    ephemeral_.take();
    {
        const FailureCount count(entry_);
        announcer_.defer(pg::standby_wanted());
        pg::transaction([&] {
            result = tick(announcer_, &backlog_, entry_->failed_ticks > 0);
            if (result.events == 0) announcer_.defer(false);  // nothing that a standby must have first
            if (!result.extension_gone) ephemeral_.send(announcer_);
        });
        // Without events too; but the end of a backlog that the process before had found already proves nothing.
        if (result.events > 0 || !result.more) entry_->failed_ticks = 0;
    }
    // Nothing is said before the standby has it: a position once shown must outlive this server.
    if (announcer_.has_deferred()) {
        pg::wait_for_standby(XactLastCommitEnd);
        pg::transaction([&] { announcer_.send_deferred(); });
    }
    announcer_.defer(false);
    const auto ephemeral = static_cast<std::int64_t>(ephemeral_.count());
    ephemeral_.sent();
    if (result.extension_gone) pg::end_without_extension();
    announcer_.observe(static_cast<std::int64_t>(pg_atomic_read_u64(&entry_->head)));
    if (announcer_.wake_up_due() == 0) pg::transaction([&] { announcer_.send_wake_up(); });
    pg::call([] { pgstat_report_stat(false); });
    result.events += ephemeral;
    result.more = result.more || ephemeral_.more();
    return result;
}

void Dispatcher::pause(double ms) {
    const double until = seconds_now() + ms / 1000;
    for (double left = ms; left >= 0.5; left = (until - seconds_now()) * 1000) pg::wait(static_cast<long>(left + 0.5));
}

void Dispatcher::sleep() {
    long timeout = guc::dispatch_safety_interval;
    for (const auto due : {announcer_.wake_up_due(), ephemeral_.due()})
        if (due) timeout = std::min(timeout, *due);
    pg_atomic_write_u32(&entry_->dispatcher_idle, 1);
    pg_memory_barrier();
    // Who committed before the flag was up has set dispatcher_work; who commits after it sets the latch.
    if (pg_atomic_read_u32(&entry_->dispatcher_work) == 0) {
        pg::call([] {
            pgstat_report_stat(true);
            pgstat_report_activity(STATE_IDLE, nullptr);
        });
        pg::wait(timeout);
    }
    pg_atomic_write_u32(&entry_->dispatcher_idle, 0);
}

void Dispatcher::run() {
    set_session();
    open();
    for (;;) {
        pg::serve_interrupts();
        pg::call([] { pgstat_report_activity(STATE_RUNNING, "pulse: dispatch"); });
        const double began = seconds_now();
        const TickResult result = tick_once();
        const double ended = seconds_now();
        if (result.more) continue;
        const bool tidy = !housekeeping_.run_if_due();
        pause(pacing_.after_tick(ended, static_cast<double>(result.events), guc::dispatch_max_gap, ended - began));
        if (tidy) sleep();
    }
}

}  // namespace

}  // namespace pulse::dispatch

extern "C" PULSE_EXPORT void pulse_dispatcher_main(Datum database);

void pulse_dispatcher_main(Datum database) {
    pulse::pg::process([&] {
        pulse::dispatch::Dispatcher dispatcher(pulse::pg::begin_worker(pulse::pg::WorkerRole::kDispatcher, DatumGetObjectId(database)));
        dispatcher.run();
    });
}

PULSE_FN(pulse_tick) {
    pulse::dispatch::SqlAnnouncer announcer;
    const auto *entry = pulse::pg::my_database();
    const auto result = pulse::dispatch::tick(announcer, nullptr, entry != nullptr && entry->failed_ticks > 0);
    return Int64GetDatum(result.events);
}
