// pulse.bridge_sessions: a bridge reports what became of its sessions, and by that it is alive. On the way, every 10 seconds, some
// sessions that nobody can continue any more are deleted.
#include "handle/sessions.hpp"
#include "json/slice.hpp"
#include "pg/shmem.hpp"

namespace pulse::handle {

constexpr int32 kForgetAtOnce = 5000;

// One change; raises for what no bridge may say.
static void add(std::map<std::string, std::vector<Change>> &changes, std::string_view json) {
    const auto members = json::members(json);
    const auto key = members ? json::find(*members, "key") : std::nullopt;
    const auto session = key ? json::unescape(*key) : std::nullopt;
    if (!session) pg::fail(kBadRequest, "a change has no key");
    Change change{Change::Kind::kEnd, {}, 0, integer(json::find(*members, "generation"))};
    if (const auto leave = json::find(*members, "leave")) {
        auto room = json::unescape(*leave);
        if (!room) pg::fail(kBadRequest, "leave is no string");
        change.room = std::move(*room);
        const auto evicted_at = integer(json::find(*members, "evictedAt"));
        change.kind = evicted_at ? Change::Kind::kEvicted : Change::Kind::kLeave;
        change.position = evicted_at.value_or(0);
    } else if (json::find(*members, "ended") != std::optional<std::string_view>("true")) {
        pg::fail(kBadRequest, "a change is neither leave nor ended");
    } else if (json::find(*members, "forget") == std::optional<std::string_view>("true")) {
        change.kind = Change::Kind::kForget;
    }
    changes[*session].push_back(std::move(change));
}

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_bridge_sessions) {
    static pg::Plan seen(
        "INSERT INTO _pulse.bridges AS b (id, name) VALUES ($1, COALESCE(NULLIF(pg_catalog.current_setting('application_name'), ''), $1)) "
        "ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, name = excluded.name");
    static pg::Plan due("SELECT COALESCE((SELECT pg_catalog.date_bin(interval '10 seconds', b.seen_at, timestamptz 'epoch') "
                        "<> pg_catalog.date_bin(interval '10 seconds', pg_catalog.clock_timestamp(), timestamptz 'epoch') "
                        "FROM _pulse.bridges b WHERE b.id = $1), true) WHERE NOT EXISTS (SELECT FROM _pulse.bridges b WHERE b.id = $1 "
                        "AND b.seen_at > pg_catalog.clock_timestamp() - interval '2 seconds')");
    static pg::Plan forget("SELECT _pulse.forget_sessions($1)");
    const std::string bridge = handle::text_argument(fcinfo, 0, "bridge");
    std::map<std::string, std::vector<handle::Change>> changes;
    if (!pg::arg_is_null(fcinfo, 1)) {
        const auto elements = json::elements(pg::view(pg::arg(fcinfo, 1)));
        if (!elements) pg::fail(handle::kBadRequest, "changes is no JSON array");
        for (const std::string_view element : *elements) handle::add(changes, element);
    }
    const handle::LogScope scope(pg::function_owner(fcinfo));
    handle::apply(changes);
    // However often a bridge reports: its row is one that everybody reads, and under a held snapshot each update of it stays.
    if (due.run({pg::param_text(bridge)}) > 0) {
        const bool sweep = pg::result_row().boolean(1);
        seen.run({pg::param_text(bridge)});
        if (sweep && pg::epoch_is_open()) forget.run({pg::param_int4(handle::kForgetAtOnce)});  // else who was silent need not be gone
    }
    return Datum(0);
}
