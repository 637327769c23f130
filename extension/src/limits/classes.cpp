// The copy of the tables in this process. A trigger on them invalidates their relcache entries, which reaches every backend at the
// commit; the callback here throws the copy away. Read by a snapshot of its own: the statement's may be older than the change.
#include "limits/classes.hpp"

#include "pg/run_as.hpp"
#include "pg/spi.hpp"

#include <map>

namespace pulse::limits {

namespace {

struct Registered {
    std::map<std::string, Class, std::less<>> classes;
    std::map<std::string, std::string, std::less<>> events;  // namespace, NUL, event → class
};

Registered *registered = nullptr;  // never freed with the process: callbacks run until its very end
Oid tables[2];                     // whose changes matter
bool valid = false;
bool disturbed = false;  // something changed while they were read

void on_relcache(Datum, Oid relation) {
    disturbed = true;
    if (!OidIsValid(relation) || relation == tables[0] || relation == tables[1]) valid = false;
}

std::string event_key(std::string_view name, std::string_view event) { return std::string(name).append(1, '\0').append(event); }

// Between an update of the library and that of the SQL the tables may not be there yet.
bool find_tables() {
    return pg::call([] {
        const Oid schema = get_namespace_oid("_pulse", true);
        if (!OidIsValid(schema)) return false;
        tables[0] = get_relname_relid("limits", schema);
        tables[1] = get_relname_relid("limit_events", schema);
        return OidIsValid(tables[0]) && OidIsValid(tables[1]);
    });
}

const Registered &load(Oid owner) {
    static pg::Plan classes(
        "SELECT DISTINCT ON (l.class) l.class, l.points, (EXTRACT(epoch FROM l.per) * 1000000)::bigint FROM _pulse.limits l "
        "WHERE l.extension IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = l.extension) "
        "ORDER BY l.class, l.extension IS NOT NULL");
    static pg::Plan events("SELECT DISTINCT ON (l.namespace, l.event) l.namespace, l.event, l.class FROM _pulse.limit_events l "
                           "WHERE l.extension IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = l.extension) "
                           "ORDER BY l.namespace, l.event, l.extension IS NOT NULL");
    if (registered == nullptr) registered = new Registered;
    if (valid) return *registered;
    disturbed = false;
    Registered found;
    if (find_tables()) {
        const pg::OwnerScope scope(owner);
        const pg::SpiSession spi;
        const pg::LatestSnapshot snapshot;
        classes.for_each(
            {},
            [&](const pg::Row &row) {
                Class one{std::string(row.text(1)), {row.int4(2), row.int8(3)}};
                std::string name = one.name;
                found.classes.emplace(std::move(name), std::move(one));
            },
            true);
        events.for_each(
            {}, [&](const pg::Row &row) { found.events.emplace(event_key(row.text(1), row.text(2)), row.text(3)); }, true);
    }
    *registered = std::move(found);
    valid = !disturbed;  // else they are read again the next time
    return *registered;
}

}  // namespace

void init_classes() { CacheRegisterRelcacheCallback(on_relcache, Datum(0)); }

const Class *find_class(Oid owner, std::string_view name) {
    const Registered &all = load(owner);
    const auto found = all.classes.find(name);
    return found == all.classes.end() ? nullptr : &found->second;
}

const Class *class_of_event(Oid owner, std::string_view name, std::string_view event) {
    const Registered &all = load(owner);
    if (all.events.empty()) return nullptr;
    auto bound = all.events.find(event_key(name, event));
    if (bound == all.events.end()) bound = all.events.find(event_key(name, "*"));
    if (bound == all.events.end()) return nullptr;
    const auto found = all.classes.find(bound->second);
    return found == all.classes.end() ? nullptr : &found->second;
}

std::string known_classes(Oid owner) {
    std::string names;
    for (const auto &[name, one] : load(owner).classes) names += (names.empty() ? "" : ", ") + name;
    return names.empty() ? "none" : names;
}

}  // namespace pulse::limits

using namespace pulse;

// The trigger of both tables.
PULSE_FN(pulse_limits_changed) {
    pg::call([&] {
        if (!CALLED_AS_TRIGGER(fcinfo)) elog(ERROR, "_pulse.limits_changed is a trigger");
        CacheInvalidateRelcache(reinterpret_cast<TriggerData *>(fcinfo->context)->tg_relation);
    });
    return Datum(0);
}
