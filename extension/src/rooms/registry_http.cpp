// pulse.stream, pulse.route and their drop twins: what answers HTTP requests. As in registry.cpp, names are resolved as the caller and
// rows written as the extension's owner.
#include "pg/run_as.hpp"
#include "rooms/function.hpp"
#include "rooms/path.hpp"
#include "rooms/registry.hpp"

#include <algorithm>

namespace pulse::rooms {

static std::string path_argument(FunctionCallInfo fcinfo, int n) {
    std::string path = argument(fcinfo, n, "path");
    if (const auto parsed = Path::parse(path); !parsed.path)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "path \"" + path + "\": " + parsed.error);
    if (path_of_bridge(path))
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "path \"" + path + "\" is answered by the bridge itself", {},
                 "These and all below them are taken: " + std::string(kBridgePathList) + ".");
    return path;
}

static std::string auth_argument(FunctionCallInfo fcinfo, int n) {
    std::string auth = argument(fcinfo, n, "auth");
    if (auth != "jwt" && auth != "internal" && auth != "none")
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "unknown auth \"" + auth + "\"", {}, "Accepted are: jwt, internal, none.");
    return auth;
}

// In capitals, since HTTP tells small letters from them.
static std::string method_argument(FunctionCallInfo fcinfo, int n) {
    std::string method = argument(fcinfo, n, "method");
    std::transform(method.begin(), method.end(), method.begin(),
                   [](char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c); });
    if (method == "GET" || method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE") return method;
    if (method == "HEAD" || method == "OPTIONS")
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "method " + method + " needs no route", {},
                 "A GET route answers HEAD, and the bridge answers OPTIONS itself.");
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "unknown method \"" + method + "\"", {}, "Accepted are: GET, POST, PUT, PATCH, DELETE.");
}

// A stream and a GET route that match the same requests: which one answers would be chance. `plan` gives the paths of the other kind.
static void refuse_other_kind(pg::Plan &plan, const std::string &path, const char *what, const char *drop) {
    const auto own = Path::parse(path);
    plan.for_each({}, [&](const pg::Row &row) {
        const auto other = Path::parse(row.text(1));
        if (!other.path || !own.path->alike(*other.path)) return;
        pg::fail(ERRCODE_DUPLICATE_OBJECT, "path \"" + path + "\" belongs to the " + what + " \"" + std::string(row.text(1)) + "\"", {},
                 std::string("Event streams are opened by GET too; take it away with ") + drop + " first.");
    });
}

}  // namespace pulse::rooms

using namespace pulse;
using rooms::argument;

PULSE_FN(pulse_stream) {
    static pg::Plan rival("SELECT s.extension FROM _pulse.streams s JOIN pg_catalog.pg_extension e ON e.extname = s.extension "
                          "WHERE s.path = $1 AND s.extension <> $2");
    static pg::Plan routes("SELECT r.path FROM _pulse.routes r WHERE r.method = 'GET' AND (r.extension IS NULL "
                           "OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = r.extension))");
    static pg::Plan write("INSERT INTO _pulse.streams (path, function, auth, extension) VALUES ($1, $2, $3, $4) "
                          "ON CONFLICT (path, extension) DO UPDATE SET function = excluded.function, auth = excluded.auth");
    const std::string path = rooms::path_argument(fcinfo, 0);
    const std::string function = rooms::check_function(argument(fcinfo, 1, "function"), rooms::kStreamShape);
    const std::string auth = rooms::auth_argument(fcinfo, 2);
    const auto extension = pg::running_extension();
    pg::OwnerScope scope(pg::function_owner(fcinfo));
    pg::SpiSession spi;
    if (extension) rooms::refuse_rival(rival, {pg::param_text(path), pg::param_text(*extension)}, "the stream \"" + path + "\"");
    rooms::refuse_other_kind(routes, path, "GET route", "pulse.unroute");
    write.run({pg::param_text(path), pg::param_text(function), pg::param_text(auth), pg::param_text(extension)});
    return Datum(0);
}

PULSE_FN(pulse_unstream) {
    static pg::Plan plan("DELETE FROM _pulse.streams WHERE path = $1 AND extension IS NOT DISTINCT FROM $2");
    const std::string path = argument(fcinfo, 0, "path");
    const auto extension = pg::running_extension();
    pg::OwnerScope scope(pg::function_owner(fcinfo));
    pg::SpiSession spi;
    return BoolGetDatum(plan.run({pg::param_text(path), pg::param_text(extension)}) > 0);
}

PULSE_FN(pulse_route) {
    static pg::Plan rival("SELECT r.extension FROM _pulse.routes r JOIN pg_catalog.pg_extension e ON e.extname = r.extension "
                          "WHERE r.method = $1 AND r.path = $2 AND r.extension <> $3");
    static pg::Plan streams("SELECT s.path FROM _pulse.streams s WHERE s.extension IS NULL "
                            "OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = s.extension)");
    static pg::Plan write("INSERT INTO _pulse.routes (method, path, function, auth, extension) VALUES ($1, $2, $3, $4, $5) "
                          "ON CONFLICT (method, path, extension) DO UPDATE SET function = excluded.function, auth = excluded.auth");
    const std::string method = rooms::method_argument(fcinfo, 0);
    const std::string path = rooms::path_argument(fcinfo, 1);
    const std::string function = rooms::check_function(argument(fcinfo, 2, "function"), rooms::kRouteShape);
    const std::string auth = rooms::auth_argument(fcinfo, 3);
    const auto extension = pg::running_extension();
    pg::OwnerScope scope(pg::function_owner(fcinfo));
    pg::SpiSession spi;
    if (extension)
        rooms::refuse_rival(rival, {pg::param_text(method), pg::param_text(path), pg::param_text(*extension)},
                            "the route " + method + " \"" + path + "\"");
    if (method == "GET") rooms::refuse_other_kind(streams, path, "stream", "pulse.unstream");
    write.run({pg::param_text(method), pg::param_text(path), pg::param_text(function), pg::param_text(auth), pg::param_text(extension)});
    return Datum(0);
}

PULSE_FN(pulse_unroute) {
    static pg::Plan plan("DELETE FROM _pulse.routes WHERE method = upper($1) AND path = $2 AND extension IS NOT DISTINCT FROM $3");
    const std::string method = argument(fcinfo, 0, "method"), path = argument(fcinfo, 1, "path");
    const auto extension = pg::running_extension();
    pg::OwnerScope scope(pg::function_owner(fcinfo));
    pg::SpiSession spi;
    return BoolGetDatum(plan.run({pg::param_text(method), pg::param_text(path), pg::param_text(extension)}) > 0);
}
