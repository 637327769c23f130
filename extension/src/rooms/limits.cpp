// pulse.limit, pulse.limit_event and their drop twins: registrations like those of registry.cpp. What they mean at work is limits/.
#include "names/rules.hpp"
#include "pg/interval.hpp"
#include "pg/run_as.hpp"
#include "rooms/pattern.hpp"
#include "rooms/registry.hpp"

#include <algorithm>

namespace pulse::rooms {

static std::string class_argument(FunctionCallInfo fcinfo, int n) {
    std::string name = argument(fcinfo, n, "class");
    if (name.empty() || name.size() > 63 || std::any_of(name.begin(), name.end(), [](char c) {
            return !(('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') || c == '_' || c == '-' || c == '.' ||
                     c == ':');
        }))
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "\"" + name + "\" is no name of a limit class", {},
                 "It has 1 to 63 letters, digits and characters of '_-.:'.");
    return name;
}

// '*' or the name of an event that a handler may have.
static std::string limited_event_argument(FunctionCallInfo fcinfo, int n) {
    std::string event = argument(fcinfo, n, "event");
    if (event == "*") return event;
    if (const auto problem = names::check_event_name(event)) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
    if (answered_by_bridge(event))
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "event \"" + event + "\" is answered by the bridge itself", {},
                 std::string("These are limited by the bridge's --event-rate alone: ") + kBridgeEventList + ".");
    return event;
}

static void check_per(FunctionCallInfo fcinfo, int n) {
    if (pg::arg_is_null(fcinfo, n)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "per is null");
    constexpr int64 kLongest = int64{366} * 24 * 3600 * 1000;  // ms
    if (!pg::milliseconds_of(pg::arg(fcinfo, n), kLongest))
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "per is between 1 millisecond and 366 days");
}

}  // namespace pulse::rooms

using namespace pulse;

PULSE_FN(pulse_limit) {
    static pg::Plan rival("SELECT l.extension FROM _pulse.limits l JOIN pg_catalog.pg_extension e ON e.extname = l.extension "
                          "WHERE l.class = $1 AND l.extension <> $2");
    static pg::Plan write("INSERT INTO _pulse.limits (class, points, per, extension) VALUES ($1, $2, $3, $4) "
                          "ON CONFLICT (class, extension) DO UPDATE SET points = excluded.points, per = excluded.per");
    const std::string name = rooms::class_argument(fcinfo, 0);
    if (pg::arg_is_null(fcinfo, 1)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "points is null");
    const int32 points = DatumGetInt32(pg::arg(fcinfo, 1));
    if (points < 1) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "points is at least 1");
    rooms::check_per(fcinfo, 2);
    const auto extension = pg::running_extension();
    const pg::OwnerScope scope(pg::function_owner(fcinfo));
    const pg::SpiSession spi;
    if (extension) rooms::refuse_rival(rival, {pg::param_text(name), pg::param_text(*extension)}, "the limit class \"" + name + "\"");
    write.run({pg::param_text(name), pg::param_int4(points), {INTERVALOID, pg::arg(fcinfo, 2)}, pg::param_text(extension)});
    return Datum(0);
}

PULSE_FN(pulse_drop_limit) {
    static pg::Plan drop("DELETE FROM _pulse.limits WHERE class = $1 AND extension IS NOT DISTINCT FROM $2");
    static pg::Plan bound("SELECT b.event, b.namespace FROM _pulse.limit_events b WHERE b.class = $1 "
                          "AND NOT EXISTS (SELECT FROM _pulse.limits l WHERE l.class = b.class) ORDER BY b.namespace, b.event LIMIT 1");
    const std::string name = rooms::argument(fcinfo, 0, "class");
    const auto extension = pg::running_extension();
    const pg::OwnerScope scope(pg::function_owner(fcinfo));
    const pg::SpiSession spi;
    const bool dropped = drop.run({pg::param_text(name), pg::param_text(extension)}) > 0;
    if (dropped && bound.run({pg::param_text(name)}) > 0) {
        const pg::Row row = pg::result_row();
        pg::fail(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
                 "event \"" + std::string(row.text(1)) + "\" in \"" + std::string(row.text(2)) + "\" is limited by class \"" + name + "\"",
                 {}, "Take it away with pulse.drop_limit_event first.");
    }
    return BoolGetDatum(dropped);
}

PULSE_FN(pulse_limit_event) {
    static pg::Plan known("SELECT FROM _pulse.limits l WHERE l.class = $1 LIMIT 1");
    static pg::Plan rival("SELECT l.extension FROM _pulse.limit_events l JOIN pg_catalog.pg_extension e ON e.extname = l.extension "
                          "WHERE l.namespace = $1 AND l.event = $2 AND l.extension <> $3");
    static pg::Plan write("INSERT INTO _pulse.limit_events (namespace, event, class, extension) VALUES ($1, $2, $3, $4) "
                          "ON CONFLICT (namespace, event, extension) DO UPDATE SET class = excluded.class");
    const std::string event = rooms::limited_event_argument(fcinfo, 0), name = rooms::class_argument(fcinfo, 1),
                      nsp = rooms::namespace_argument(fcinfo, 2);
    const auto extension = pg::running_extension();
    const pg::OwnerScope scope(pg::function_owner(fcinfo));
    const pg::SpiSession spi;
    if (known.run({pg::param_text(name)}) == 0)
        pg::fail(ERRCODE_UNDEFINED_OBJECT, "unknown limit class \"" + name + "\"", {}, "Make it first: pulse.limit(class, points, per).");
    if (extension)
        rooms::refuse_rival(rival, {pg::param_text(nsp), pg::param_text(event), pg::param_text(*extension)},
                            "the limit of \"" + event + "\" in \"" + nsp + "\"");
    write.run({pg::param_text(nsp), pg::param_text(event), pg::param_text(name), pg::param_text(extension)});
    return Datum(0);
}

PULSE_FN(pulse_drop_limit_event) {
    static pg::Plan plan("DELETE FROM _pulse.limit_events WHERE event = $1 AND namespace = $2 AND extension IS NOT DISTINCT FROM $3");
    const std::string event = rooms::argument(fcinfo, 0, "event"), nsp = rooms::argument(fcinfo, 1, "namespace");
    const auto extension = pg::running_extension();
    const pg::OwnerScope scope(pg::function_owner(fcinfo));
    const pg::SpiSession spi;
    return BoolGetDatum(plan.run({pg::param_text(event), pg::param_text(nsp), pg::param_text(extension)}) > 0);
}
