// Which workers should run, which do, and when to try again.
#include "dispatch/launcher.hpp"

#include "guc.hpp"
#include "pg/worker.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>

namespace pulse::dispatch {

namespace {

// Safety net only: everything that matters wakes the launcher.
constexpr long kLookAround = 60 * 1000;
// A worker that was asked for and has not shown up in shared memory after this long is asked for again.
constexpr long kPatience = 10 * 1000;
constexpr long kFirstBackoff = 50, kLongestBackoff = 5000;
// A worker that ran this long starts again at once.
constexpr long kHealthyRun = 5000;

struct Named {
    Oid oid;
    std::string name;
};

// One worker of one database, as the launcher sees it.
struct Post {
    pg::WorkerRole role;
    int number = 0;
    TimestampTz asked_at = 0;  // when it was last registered
    bool asked = false;        // registered, and it has not come up yet
    bool came_up = false;
    unsigned starts = 0;  // the entry's count when it was registered
    TimestampTz not_before = 0;
    long backoff = kFirstBackoff;
};

struct Database {
    Oid oid;
    std::vector<Post> posts = {{pg::WorkerRole::kDispatcher}, {pg::WorkerRole::kForeman}, {pg::WorkerRole::kHttp}};
};

class Launcher {
public:
    void run();

private:
    std::vector<Named> read_named();
    void stop_unnamed(const std::vector<Named> &named);
    void look_after(Database &database, const std::string &name);
    void keep_workers(Database &database, pg::DatabaseEntry *entry);
    void look_after(Post &post, pg::DatabaseEntry *entry, const std::string &name);
    void wake_by(TimestampTz when) { next_ = std::min(next_, when); }

    std::vector<Database> databases_;
    TimestampTz next_ = 0;
};

TimestampTz after(TimestampTz from, long ms) { return TimestampTzPlusMilliseconds(from, ms); }

// The named databases that exist and let somebody in. A list that cannot be read names nobody.
// By a scan of the table itself: without a database there may be no index to use yet (a cluster's first start).
std::vector<Named> Launcher::read_named() {
    std::vector<Named> named;
    pg::transaction([&] {
        List *names = NIL;
        const bool good =
            pg::call([&] { return SplitIdentifierString(pstrdup(guc::databases == nullptr ? "" : guc::databases), ',', &names); });
        if (!good || names == NIL) return;
        pg::call([&] {
            (void)GetTransactionSnapshot();
            Relation relation = table_open(DatabaseRelationId, AccessShareLock);
            TableScanDesc scan = table_beginscan_catalog(relation, 0, nullptr);
            while (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection)) {
                auto *database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
                ListCell *cell;
                foreach (cell, names) {
                    if (database->datallowconn && strcmp(NameStr(database->datname), static_cast<char *>(lfirst(cell))) == 0) {
                        named.push_back({database->oid, NameStr(database->datname)});
                        break;
                    }
                }
            }
            table_endscan(scan);
            table_close(relation, AccessShareLock);
        });
    });
    return named;
}

void Launcher::stop_unnamed(const std::vector<Named> &named) {
    const auto is_named = [&](Oid oid) {
        return std::any_of(named.begin(), named.end(), [&](const Named &database) { return database.oid == oid; });
    };
    std::erase_if(databases_, [&](const Database &database) { return !is_named(database.oid); });
    LWLockAcquire(pg::shared()->lock, LW_SHARED);
    for (pg::DatabaseEntry &entry : pg::shared()->databases) {
        if (!OidIsValid(entry.database) || is_named(entry.database)) continue;
        for (const pg::Process &process : entry.processes)
            if (process.pid != 0) kill(process.pid, SIGTERM);
    }
    LWLockRelease(pg::shared()->lock);
}

void Launcher::look_after(Post &post, pg::DatabaseEntry *entry, const std::string &name) {
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(pg::shared()->lock, LW_SHARED);
    const pg::Process &process = entry->process(post.role, post.number);
    const bool running = process.pid != 0;
    const bool wanted = entry->held == 0 && !entry->no_extension && (post.role != pg::WorkerRole::kHttp || entry->http_wanted);
    const unsigned starts = process.starts;
    // The dispatcher and the foreman look for their extension when it has gone; who waits for the foreman is told.
    if (running && entry->no_extension && (post.role == pg::WorkerRole::kJobs || post.role == pg::WorkerRole::kHttp))
        SetLatch(process.latch);
    LWLockRelease(pg::shared()->lock);
    if (!wanted) {
        post = Post{post.role, post.number};
        return;
    }
    if (post.asked && starts != post.starts) {
        post.came_up = true;
        post.asked = false;
    }
    if (running) return;
    if (post.asked && now < after(post.asked_at, kPatience)) {
        wake_by(after(post.asked_at, kPatience));
        return;
    }
    if (post.came_up || post.asked) {
        // It ended. One that ran for a while starts at once, one that keeps ending waits longer each time.
        if (now >= after(post.asked_at, kHealthyRun)) post.backoff = kFirstBackoff;
        post.not_before = after(now, post.backoff);
        post.backoff = std::min(post.backoff * 2, kLongestBackoff);
        post.came_up = post.asked = false;
    }
    if (now < post.not_before) {
        wake_by(post.not_before);
        return;
    }
    const bool started = pg::start_worker(post.role, post.number, entry->database, name.c_str());
    if (!started && !pg::shared()->short_of_workers)
        pg::call([] {
            ereport(WARNING, (errmsg("pulse: no background worker is free"),
                              errhint("Raise max_worker_processes: pulse needs one, and for each database three and pulse.job_workers.")));
        });
    pg::shared()->short_of_workers = !started;
    post.asked = started;
    post.asked_at = now;
    post.starts = starts;
    if (!started) post.not_before = after(now, kLongestBackoff);
    wake_by(started ? after(now, kPatience) : post.not_before);
}

// As many posts of job workers as are configured; who is too many ends.
void Launcher::keep_workers(Database &database, pg::DatabaseEntry *entry) {
    constexpr auto kFirst = static_cast<std::size_t>(pg::WorkerRole::kJobs);
    const std::size_t wanted = kFirst + static_cast<std::size_t>(guc::job_workers);
    if (database.posts.size() > wanted) database.posts.resize(wanted);
    while (database.posts.size() < wanted)
        database.posts.push_back({pg::WorkerRole::kJobs, static_cast<int>(database.posts.size() - kFirst)});
    LWLockAcquire(pg::shared()->lock, LW_SHARED);
    for (int number = guc::job_workers; number < pg::kMostJobWorkers; ++number)
        if (const pid_t pid = entry->process(pg::WorkerRole::kJobs, number).pid; pid != 0) kill(pid, SIGTERM);
    LWLockRelease(pg::shared()->lock);
}

void Launcher::look_after(Database &database, const std::string &name) {
    LWLockAcquire(pg::shared()->lock, LW_EXCLUSIVE);
    pg::DatabaseEntry *entry = pg::ensure_database(database.oid);
    LWLockRelease(pg::shared()->lock);
    if (entry == nullptr) {
        pg::call([&] { ereport(WARNING, (errmsg("pulse: too many databases; \"%s\" gets no workers", name.c_str()))); });
        return;
    }
    keep_workers(database, entry);
    for (Post &post : database.posts) look_after(post, entry, name);
}

void Launcher::run() {
    for (;;) {
        const std::vector<Named> named = read_named();
        next_ = after(GetCurrentTimestamp(), kLookAround);
        stop_unnamed(named);
        for (const Named &one : named) {
            auto known =
                std::find_if(databases_.begin(), databases_.end(), [&](const Database &database) { return database.oid == one.oid; });
            if (known == databases_.end()) known = databases_.insert(databases_.end(), Database{one.oid});
            look_after(*known, one.name);
        }
        pg::wait(std::max(1L, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next_)));
    }
}

void leave(int, Datum) {
    pg::callback("the end of the launcher", [] {
        LWLockAcquire(pg::shared()->lock, LW_EXCLUSIVE);
        pg::shared()->launcher_pid = 0;
        pg::shared()->launcher_latch = nullptr;
        LWLockRelease(pg::shared()->lock);
    });
}

}  // namespace

void register_launcher() {
    BackgroundWorker worker = {};
    snprintf(worker.bgw_name, BGW_MAXLEN, "pulse launcher");
    snprintf(worker.bgw_type, BGW_MAXLEN, "pulse launcher");
    snprintf(worker.bgw_library_name, BGW_MAXLEN, "pulse");
    snprintf(worker.bgw_function_name, BGW_MAXLEN, "pulse_launcher_main");
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = 1;
    RegisterBackgroundWorker(&worker);
}

}  // namespace pulse::dispatch

extern "C" PULSE_EXPORT void pulse_launcher_main(Datum);

void pulse_launcher_main(Datum) {
    using namespace pulse;
    pg::process([] {
        pg::begin_signals();
        LWLockAcquire(pg::shared()->lock, LW_EXCLUSIVE);
        pg::shared()->launcher_pid = MyProcPid;
        pg::shared()->launcher_latch = MyLatch;
        LWLockRelease(pg::shared()->lock);
        on_shmem_exit(dispatch::leave, Datum(0));
        pg::call([] { BackgroundWorkerInitializeConnection(nullptr, nullptr, 0); });
        dispatch::Launcher().run();
    });
}
