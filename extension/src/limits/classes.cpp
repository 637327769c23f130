// The copy of the tables in this process.
#include "limits/classes.hpp"

#include "pg/run_as.hpp"
#include "pg/spi.hpp"
#include "pg/watched.hpp"

#include <map>

namespace pulse::limits {

namespace {

struct Registered {
    std::map<std::string, Class, std::less<>> classes;
    std::map<std::string, std::string, std::less<>> events;  // namespace, NUL, event → class
};

Registered *registered = nullptr;  // never freed with the process
constinit pg::WatchedTables watched{"limits", "limit_events"};

std::string event_key(std::string_view name, std::string_view event) { return std::string(name).append(1, '\0').append(event); }

void read(Oid owner, Registered &found) {
    static pg::Plan classes(
        "SELECT DISTINCT ON (l.class) l.class, l.points, (EXTRACT(epoch FROM l.per) * 1000000)::bigint FROM _pulse.limits l "
        "WHERE l.extension IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = l.extension) "
        "ORDER BY l.class, l.extension IS NOT NULL");
    static pg::Plan events("SELECT DISTINCT ON (l.namespace, l.event) l.namespace, l.event, l.class FROM _pulse.limit_events l "
                           "WHERE l.extension IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = l.extension) "
                           "ORDER BY l.namespace, l.event, l.extension IS NOT NULL");
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

const Registered &load() {
    if (registered == nullptr) registered = new Registered;
    watched.refresh([](std::optional<Oid> owner) {
        Registered found;
        if (owner) read(*owner, found);
        *registered = std::move(found);
    });
    return *registered;
}

}  // namespace

void init_classes() { watched.init(); }

const Class *find_class(std::string_view name) {
    const Registered &all = load();
    const auto found = all.classes.find(name);
    return found == all.classes.end() ? nullptr : &found->second;
}

const Class *class_of_event(std::string_view name, std::string_view event) {
    const Registered &all = load();
    if (all.events.empty()) return nullptr;
    auto bound = all.events.find(event_key(name, event));
    if (bound == all.events.end()) bound = all.events.find(event_key(name, "*"));
    if (bound == all.events.end()) return nullptr;
    const auto found = all.classes.find(bound->second);
    return found == all.classes.end() ? nullptr : &found->second;
}

std::string known_classes() {
    std::string names;
    for (const auto &[name, one] : load().classes) names += (names.empty() ? "" : ", ") + name;
    return names.empty() ? "none" : names;
}

}  // namespace pulse::limits

using namespace pulse;

// The trigger of both tables.
PULSE_FN(pulse_limits_changed) { return pg::tell_table_changed(fcinfo); }
