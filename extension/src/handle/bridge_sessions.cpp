// pulse.bridge_sessions: a bridge reports what became of its sessions and their leases, and by that it is alive. On the way leases that
// are over end, and every 10 seconds some sessions that nobody can continue any more are deleted.
#include "handle/leases.hpp"
#include "pg/commit_wake.hpp"
#include "pg/shmem.hpp"

namespace pulse::handle {

constexpr int32 kForgetAtOnce = 5000;
// Other calls of the bridge wait behind its report, and each lease takes a lock until that is stored: the dispatcher ends the rest.
constexpr int32 kSweepAtOnce = 100;

// What a bridge reports at once.
struct Report {
    std::map<std::string, std::vector<Change>> changes;  // by session; an empty list: its row is locked all the same
    LeaseReport leases;
    void add(std::string_view json);

private:
    void add_lease(const std::string &session, const std::optional<int64> &generation, std::string_view json);
};

static std::string text_of(const std::vector<json::Member> &members, const char *key) {
    const auto value = json::find(members, key);
    auto text = value ? json::unescape(*value) : std::nullopt;
    if (!text) pg::fail(kBadRequest, std::string(key) + " is no string");
    return std::move(*text);
}

void Report::add_lease(const std::string &session, const std::optional<int64> &generation, std::string_view json) {
    const auto members = json::members(json);
    if (!members) pg::fail(kBadRequest, "lease is no JSON object");
    leases.written[session].emplace_back(generation,
                                         LeaseReport::Written{text_of(*members, "room"), text_of(*members, "userId"), lease_of(*members),
                                                              integer(json::find(*members, "age")).value_or(0),
                                                              json::find(*members, "fresh") == std::optional<std::string_view>("true")});
}

// One change; raises for what no bridge may say.
void Report::add(std::string_view json) {
    const auto members = json::members(json);
    if (members && json::find(*members, "leasesComplete")) {
        leases.complete = text_of(*members, "leasesComplete");
        return;
    }
    const auto key = members ? json::find(*members, "key") : std::nullopt;
    const auto session = key ? json::unescape(*key) : std::nullopt;
    if (!session) pg::fail(kBadRequest, "a change has no key");
    std::vector<Change> &list = changes[*session];
    Change change{Change::Kind::kEnd, {}, 0, integer(json::find(*members, "generation"))};
    if (json::find(*members, "leave")) {
        change.room = text_of(*members, "leave");
        const auto evicted_at = integer(json::find(*members, "evictedAt"));
        change.kind = evicted_at ? Change::Kind::kEvicted : Change::Kind::kLeave;
        change.position = evicted_at.value_or(0);
    } else if (json::find(*members, "untrack")) {
        change.room = text_of(*members, "untrack");
        change.kind = Change::Kind::kUntrack;
    } else if (const auto lease = json::find(*members, "lease")) {
        return add_lease(*session, change.generation, *lease);
    } else if (const auto idle = integer(json::find(*members, "idle"))) {
        leases.active[*session] = {change.generation, *idle};
        return;
    } else if (json::find(*members, "ended") != std::optional<std::string_view>("true")) {
        pg::fail(kBadRequest, "a change is none of leave, untrack, lease, idle and ended");
    } else if (json::find(*members, "forget") == std::optional<std::string_view>("true")) {
        change.kind = Change::Kind::kForget;
    }
    list.push_back(std::move(change));
}

// What is done on the way: its failure is no reason to refuse the report.
template <class Task>
static void tidy(const char *what, Task &&task) {
    const auto error = pg::subtransaction(std::forward<Task>(task));
    if (error) pg::call([&] { ereport(WARNING, (errcode(error->sqlstate), errmsg("pulse: %s: %s", what, error->message))); });
}

static void sweep_leases() {
    static pg::Plan plan("SELECT _pulse.sweep_leases($1)");
    plan.run({pg::param_int4(kSweepAtOnce)});
    if (pg::result_row().int4(1) >= kSweepAtOnce) pg::wake_at_commit(pg::Wake::kLeases);
}

// The token under which the bridge is to write all of its leases; nullopt: they are here.
static std::optional<std::string> store(const Report &report, const std::string &bridge, Oid owner) {
    static pg::Plan seen("INSERT INTO _pulse.bridges AS b (id, name) VALUES ($1, "
                         "COALESCE(pg_catalog.substring(pg_catalog.current_setting('application_name'), '[^ ]+$'), $1)) "
                         "ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, name = excluded.name");
    static pg::Plan due("SELECT COALESCE((SELECT pg_catalog.date_bin(interval '10 seconds', b.seen_at, timestamptz 'epoch') "
                        "<> pg_catalog.date_bin(interval '10 seconds', pg_catalog.clock_timestamp(), timestamptz 'epoch') "
                        "FROM _pulse.bridges b WHERE b.id = $1), true) WHERE NOT EXISTS (SELECT FROM _pulse.bridges b WHERE b.id = $1 "
                        "AND b.seen_at > pg_catalog.clock_timestamp() - interval '2 seconds')");
    static pg::Plan forget("SELECT _pulse.forget_sessions($1)");
    const LogScope scope(owner);
    report.leases.lock_users();
    const auto generations = apply(report.changes);
    report.leases.apply(bridge, report.changes, generations);
    // However often a bridge reports: its row is one that everybody reads, and under a held snapshot each update of it stays.
    if (due.run({pg::param_text(bridge)}) > 0) {
        const bool old_sessions = pg::result_row().boolean(1);
        seen.run({pg::param_text(bridge)});
        if (!pg::epoch_is_open()) return leases_are_wanted(bridge);  // who was silent need not be gone
        tidy("presence stays as it is", [] { sweep_leases(); });
        if (old_sessions) tidy("old sessions stay", [&] { forget.run({pg::param_int4(kForgetAtOnce)}); });
    }
    return leases_are_wanted(bridge);
}

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_bridge_sessions) {
    const std::string bridge = handle::text_argument(fcinfo, 0, "bridge");
    handle::Report report;
    if (!pg::arg_is_null(fcinfo, 1)) {
        const auto elements = json::elements(pg::view(pg::arg(fcinfo, 1)));
        if (!elements) pg::fail(handle::kBadRequest, "changes is no JSON array");
        for (const std::string_view element : *elements) report.add(element);
    }
    const auto wanted = handle::store(report, bridge, pg::function_owner(fcinfo));
    return pg::text_datum("{\"leases\":" + (wanted ? json::quoted(*wanted) : "null") + "}");
}
