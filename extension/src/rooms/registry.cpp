// pulse.policy, pulse.on, pulse.namespace and their drop twins; what answers HTTP is in registry_http.cpp. Names are resolved as the
// caller; the rows are written as the extension's owner. Inside CREATE EXTENSION the row carries the pack's name; the application's rows
// stand beside.
#include "rooms/registry.hpp"

#include "names/rules.hpp"
#include "pg/run_as.hpp"
#include "rooms/policy.hpp"

#include <algorithm>

namespace pulse::rooms {

std::string argument(FunctionCallInfo fcinfo, int n, const char *name) {
    if (pg::arg_is_null(fcinfo, n)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " is null");
    return pg::to_string(pg::arg(fcinfo, n));
}

void refuse_rival(pg::Plan &plan, std::initializer_list<pg::Plan::Param> params, const std::string &what) {
    if (plan.run(params) > 0)
        pg::fail(ERRCODE_DUPLICATE_OBJECT, what + " is already registered by extension " + std::string(pg::result_row().text(1)), {},
                 "An application may override it; another extension may not.");
}

std::string namespace_argument(FunctionCallInfo fcinfo, int n) {
    std::string name = argument(fcinfo, n, "namespace");
    if (name.empty() || name.front() != '/')
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "namespace \"" + name + "\" does not start with '/'");
    if (name.size() > 255) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "a namespace has at most 255 bytes");
    if (std::any_of(name.begin(), name.end(),
                    [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == ',' || c == '?'; }))
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "a namespace has no spaces, control characters, ',' or '?'");
    return name;
}

// The template of an idempotency key: literal text and {members} of the first argument.
static void check_key(const std::string &key) {
    bool any = false;
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (key[i] == '}') pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "key \"" + key + "\" has a '}' without its '{'");
        if (key[i] != '{') continue;
        const std::size_t end = key.find('}', i);
        if (end == std::string::npos || end == i + 1 || key.find('{', i + 1) < end)
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "key \"" + key + "\" has a '{' without a name and '}'");
        any = true;
        i = end;
    }
    if (!any)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "key \"" + key + "\" names no member of the first argument", {},
                 "Write it like '{requestId}'.");
}

}  // namespace pulse::rooms

using namespace pulse;
using rooms::argument;

PULSE_FN(pulse_policy) {
    static pg::Plan rival("SELECT p.extension FROM _pulse.policies p JOIN pg_catalog.pg_extension e ON e.extname = p.extension "
                          "WHERE p.pattern = $1 AND p.operation = $2 AND p.extension <> $3");
    static pg::Plan write("INSERT INTO _pulse.policies (pattern, operation, function, extension) VALUES ($1, $2, $3, $4) "
                          "ON CONFLICT (pattern, operation, extension) DO UPDATE SET function = excluded.function");
    const std::string pattern = argument(fcinfo, 0, "pattern"), operation = argument(fcinfo, 1, "operation");
    if (const auto parsed = rooms::Pattern::parse(pattern); !parsed.pattern)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "pattern \"" + pattern + "\": " + parsed.error);
    if (!rooms::is_operation(operation))
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "unknown operation \"" + operation + "\"", {},
                 std::string("Known operations: ") + rooms::kOperationList + ".");
    const std::string function = rooms::check_function(argument(fcinfo, 2, "function"), rooms::kPolicyShape);
    const auto extension = pg::running_extension();
    pg::OwnerScope scope(pg::function_owner(fcinfo));
    pg::SpiSession spi;
    if (extension)
        rooms::refuse_rival(rival, {pg::param_text(pattern), pg::param_text(operation), pg::param_text(*extension)},
                            "the policy for \"" + operation + "\" on \"" + pattern + "\"");
    write.run({pg::param_text(pattern), pg::param_text(operation), pg::param_text(function), pg::param_text(extension)});
    return Datum(0);
}

PULSE_FN(pulse_drop_policy) {
    static pg::Plan plan("DELETE FROM _pulse.policies WHERE pattern = $1 AND operation = $2 AND extension IS NOT DISTINCT FROM $3");
    const std::string pattern = argument(fcinfo, 0, "pattern"), operation = argument(fcinfo, 1, "operation");
    const auto extension = pg::running_extension();
    pg::OwnerScope scope(pg::function_owner(fcinfo));
    pg::SpiSession spi;
    return BoolGetDatum(plan.run({pg::param_text(pattern), pg::param_text(operation), pg::param_text(extension)}) > 0);
}

PULSE_FN(pulse_on) {
    static pg::Plan rival("SELECT h.extension FROM _pulse.handlers h JOIN pg_catalog.pg_extension e ON e.extname = h.extension "
                          "WHERE h.namespace = $1 AND h.event = $2 AND h.extension <> $3");
    static pg::Plan write("INSERT INTO _pulse.handlers (namespace, event, function, key, extension) VALUES ($1, $2, $3, $4, $5) "
                          "ON CONFLICT (namespace, event, extension) DO UPDATE SET function = excluded.function, key = excluded.key");
    const std::string event = argument(fcinfo, 0, "event");
    if (const auto problem = names::check_event_name(event)) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
    if (rooms::answered_by_bridge(event))
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "event \"" + event + "\" is answered by the bridge itself", {},
                 "These have no handler: " + std::string(rooms::kBridgeEventList) + ".");
    const std::string function = rooms::check_function(argument(fcinfo, 1, "function"), rooms::kHandlerShape);
    const std::string name = rooms::namespace_argument(fcinfo, 2);
    const auto key = pg::optional_text(fcinfo, 3);
    if (key) rooms::check_key(*key);
    const auto extension = pg::running_extension();
    pg::OwnerScope scope(pg::function_owner(fcinfo));
    pg::SpiSession spi;
    if (extension)
        rooms::refuse_rival(rival, {pg::param_text(name), pg::param_text(event), pg::param_text(*extension)},
                            "the handler of \"" + event + "\" in \"" + name + "\"");
    write.run({pg::param_text(name), pg::param_text(event), pg::param_text(function), pg::param_text(key), pg::param_text(extension)});
    return Datum(0);
}

PULSE_FN(pulse_drop_handler) {
    static pg::Plan plan("DELETE FROM _pulse.handlers WHERE event = $1 AND namespace = $2 AND extension IS NOT DISTINCT FROM $3");
    const std::string event = argument(fcinfo, 0, "event"), name = argument(fcinfo, 1, "namespace");
    const auto extension = pg::running_extension();
    pg::OwnerScope scope(pg::function_owner(fcinfo));
    pg::SpiSession spi;
    return BoolGetDatum(plan.run({pg::param_text(event), pg::param_text(name), pg::param_text(extension)}) > 0);
}

PULSE_FN(pulse_namespace) {
    static pg::Plan write("INSERT INTO _pulse.namespaces (name, connect, extension) VALUES ($1, $2, $3) "
                          "ON CONFLICT (name, connect, extension) DO NOTHING");
    const std::string name = rooms::namespace_argument(fcinfo, 0);
    const std::string function = rooms::check_function(argument(fcinfo, 1, "connect"), rooms::kConnectShape);
    const auto extension = pg::running_extension();
    pg::OwnerScope scope(pg::function_owner(fcinfo));
    pg::SpiSession spi;
    write.run({pg::param_text(name), pg::param_text(function), pg::param_text(extension)});
    return Datum(0);
}

// Without a function: all connect functions of the application (or the running pack) in that namespace.
PULSE_FN(pulse_drop_namespace) {
    static pg::Plan plan(
        "DELETE FROM _pulse.namespaces WHERE name = $1 AND (connect = $2 OR $2 IS NULL) AND extension IS NOT DISTINCT FROM $3");
    const std::string name = argument(fcinfo, 0, "name");
    auto connect = pg::optional_text(fcinfo, 1);
    if (connect) connect = rooms::qualified_or_as_given(*connect, rooms::kConnectShape);
    const auto extension = pg::running_extension();
    pg::OwnerScope scope(pg::function_owner(fcinfo));
    pg::SpiSession spi;
    return Int32GetDatum(static_cast<int32>(plan.run({pg::param_text(name), pg::param_text(connect), pg::param_text(extension)})));
}

PULSE_FN(pulse_running_extension) {
    const auto extension = pg::running_extension();
    return extension ? pg::text_datum(*extension) : pg::null_result(fcinfo);
}
