// pulse.handle_request: an HTTP request that the bridge does not answer itself. What is registered for its path, and whether the client
// may ask for it, is found out here.
#include "handle/request.hpp"

#include "handle/evictions.hpp"
#include "json/slice.hpp"

#include <algorithm>

namespace pulse::handle {

namespace {

struct Found {
    std::optional<Target> target;
    std::vector<std::string> methods;  // that the path knows
};

bool answers(const Target &target, const std::string &method) {
    return method == target.method || (method == "HEAD" && target.method == "GET" && !target.stream);
}

// The most specific one that answers the method, the application's before a pack's. What is for machines inside is not there for
// anybody else. Inside an OwnerScope and an SpiSession.
Found find(const Request &request, bool internal) {
    static pg::Plan plan("SELECT t.stream, t.method, t.path, t.function, t.auth FROM ("
                         "SELECT false AS stream, r.method, r.path, r.function, r.auth, r.extension FROM _pulse.routes r "
                         "UNION ALL SELECT true, 'GET', s.path, s.function, s.auth, s.extension FROM _pulse.streams s) t "
                         "WHERE t.extension IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = t.extension) "
                         "ORDER BY t.extension IS NOT NULL, t.path, t.stream");
    Found found;
    std::optional<rooms::Path> best;
    const auto know = [&](const std::string &method) {
        if (std::find(found.methods.begin(), found.methods.end(), method) == found.methods.end()) found.methods.push_back(method);
    };
    plan.for_each(
        {},
        [&](const pg::Row &row) {
            auto parsed = rooms::Path::parse(row.text(3));
            if (!parsed.path || (row.text(5) == "internal" && !internal)) return;
            auto params = parsed.path->match(request.path);
            if (!params) return;
            Target target{row.boolean(1),           std::string(row.text(2)), std::string(row.text(3)),
                          std::string(row.text(4)), std::string(row.text(5)), std::move(*params)};
            know(target.method);
            if (answers(target, "HEAD")) know("HEAD");
            if (!answers(target, request.method) || (best && !parsed.path->more_specific(*best))) return;
            best = std::move(*parsed.path);
            found.target = std::move(target);
        },
        true);
    if (found.methods.empty())
        pg::fail(kNotFound, "nothing is here", {},
                 "Paths are registered with pulse.route(method, path, function) and pulse.stream(path, function).");
    return found;
}

std::string list(const std::vector<std::string> &methods) {
    std::string text;
    for (const std::string &method : methods) text += method + ", ";
    return text + "OPTIONS";
}

// So that logs and the bridge know whose error it is.
pg::Raised naming(const pg::Raised &raised, const Target &target, const Asker &asker) {
    std::string context = "pulse route " + target.method + " " + target.path;
    if (asker.context.correlation_id) context += " (correlation id " + *asker.context.correlation_id + ")";
    return pg::within(raised, context);
}

// The client gets the reason beside code and message, as from every other way in.
[[noreturn]] void refuse_token(const std::string &message, const std::string &reason) {
    pg::fail(kUnauthenticated, message, "{\"reason\":" + json::quoted(reason) + "}");
}

}  // namespace

Asker::Asker(FunctionCallInfo fcinfo) : context(context_argument(fcinfo, 3)) {
    const auto members = json::members(pg::view(pg::arg(fcinfo, 3)));
    const auto is = [&](const char *key) { return json::find(*members, key) == std::optional<std::string_view>("true"); };
    const auto text = [&](const char *key) -> std::optional<std::string> {
        const auto value = json::find(*members, key);
        if (!value || json::kind(*value) == json::Kind::kNull) return std::nullopt;
        auto result = json::unescape(*value);
        if (!result) pg::fail(kBadRequest, std::string("context.") + key + " is no string");
        return result;
    };
    const auto claims = json::find(*members, "claims");
    signed_in = claims && json::kind(*claims) == json::Kind::kObject;
    internal = is("internal");
    internal_token = is("internalToken");
    auth_error = text("authError");
    auth_reason = text("authReason");
    cursor = text("cursor");
}

void Asker::check(const std::string &auth) const {
    if (auth == "internal") {
        if (!internal_token) pg::fail(kUnauthenticated, "the internal token is missing or wrong");
    } else if (auth == "jwt" && !signed_in) {
        refuse_token(auth_error.value_or("a token is needed"), auth_reason.value_or("missing"));
    }
    if (signed_in && is_revoked(context)) refuse_token("the token is revoked", "revoked");
}

std::string request_json(const Request &request, const Target &target, const Asker &asker, const std::optional<std::string> &body) {
    const auto members = json::members(request.given);
    if (!members) pg::fail(kBadRequest, "request is no JSON object");
    std::string text = "{\"method\":" + json::quoted(request.method) + ",\"path\":" + json::quoted(request.path) + ",\"params\":{";
    const char *separator = "";
    for (const auto &[name, value] : target.params) {
        text += separator + json::quoted(name) + ":" + json::quoted(value);
        separator = ",";
    }
    text += "},\"claims\":" + (asker.signed_in ? asker.context.claims : "null");
    for (const json::Member &member : *members) {
        if (member.key == "method" || member.key == "path" || member.key == "params" || member.key == "claims") continue;
        if (member.key == "body" && body) continue;
        text += "," + json::quoted(member.key) + ":";
        text += member.value;
    }
    if (body) text += ",\"body\":" + *body;
    return text + "}";
}

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_handle_request) {
    const Oid owner = pg::function_owner(fcinfo);
    handle::Request request{handle::text_argument(fcinfo, 0, "method"), handle::text_argument(fcinfo, 1, "path"), {}};
    if (pg::arg_is_null(fcinfo, 2)) pg::fail(handle::kBadRequest, "request is missing");
    request.given = pg::view(pg::arg(fcinfo, 2));
    const handle::Asker asker(fcinfo);

    // Of what is for machines inside, nobody outside learns that it is there.
    if (!asker.internal && (request.path == "/internal" || request.path.starts_with("/internal/")))
        pg::fail(handle::kNotFound, "nothing is here");
    handle::Found found;
    std::optional<pg::Raised> error;
    try {
        std::optional<handle::Cursor> position;
        {
            const handle::LogScope scope(owner);
            found = handle::find(request, asker.internal);
            if (!found.target) return pg::text_datum(handle::method_not_allowed(request, asker, handle::list(found.methods)));
            asker.check(found.target->auth);
            if (found.target->stream) position = handle::cursor();
        }
        const handle::Target &target = *found.target;
        return pg::text_datum(target.stream ? handle::open_stream(owner, request, target, asker, position)
                                            : handle::answer_route(owner, request, target, asker));
    } catch (const pg::Error &e) {
        error = e.raised();
    }
    throw pg::Error(found.target ? handle::naming(*error, *found.target, asker) : *error);
}
