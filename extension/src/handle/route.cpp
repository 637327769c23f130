// Answering a request by the function registered with pulse.route: what it is given as body, and what becomes of its result.
#include "handle/request.hpp"
#include "handle/response.hpp"
#include "json/check.hpp"
#include "json/slice.hpp"
#include "names/media_type.hpp"
#include "rooms/function.hpp"

namespace pulse::handle {

namespace {

std::string text_member(std::string_view object, const char *name) {
    const auto members = json::members(object);
    const auto value = members ? json::find(*members, name) : std::nullopt;
    return value ? json::unescape(*value).value_or("") : "";
}

// JSON when the request says so, text otherwise, null when it has none.
std::string body_of(std::string_view request) {
    const auto members = json::members(request);
    const auto given = members ? json::find(*members, "body") : std::nullopt;
    if (!given || json::kind(*given) == json::Kind::kNull) return "null";
    const auto text = json::unescape(*given);
    if (!text) pg::fail(kBadRequest, "request.body is no string");
    if (text->empty()) return "null";
    const auto headers = json::find(*members, "headers");
    if (!headers || !names::is_json_type(text_member(*headers, "content-type"))) return std::string(*given);
    std::string body;
    if (const auto error = json::check(*text, body))
        pg::fail(kBadRequest, std::string("the body is no JSON: ") + error->message + ", at byte " + std::to_string(error->offset));
    return body;
}

// {"kind":"response",…} with what the function returned and said.
std::string answer(const Target &target, const std::optional<Datum> &result, const Response::Said *said) {
    std::string text = "{\"kind\":\"response\",\"method\":" + json::quoted(target.method) + ",\"path\":" + json::quoted(target.path);
    text += ",\"status\":" + std::to_string(said != nullptr ? said->status : result ? 200 : 204);
    text += ",\"headers\":" + (said != nullptr ? said->headers : "{}");
    if (result) {
        const std::string_view json = pg::view(*result);
        text += said != nullptr && said->text && json::kind(json) == json::Kind::kString ? ",\"text\":" : ",\"body\":";
        text += json;
    }
    return text + "}";
}

}  // namespace

std::string answer_route(Oid owner, const Request &request, const Target &target, const Asker &asker) {
    const std::string given = request_json(request, target, asker, body_of(request.given));
    std::optional<rooms::Callable> function;
    {
        const pg::OwnerScope scope(owner);
        function.emplace(target.function, rooms::kRouteShape, CurrentMemoryContext);
    }
    const NoEffects no_effects;
    const Response response;
    const auth::Scope scope(asker.context);
    const auto result = run_as_client(
        rooms::client_role(), "route function " + target.function, [&] { return (*function)({pg::text_datum(given)}); }, given);
    return answer(target, result, response.last());
}

std::string method_not_allowed(const Request &request, const Asker &asker, const std::string &allowed) {
    std::string text =
        "{\"kind\":\"response\",\"method\":null,\"path\":null,\"status\":405,\"headers\":{\"Allow\":" + json::quoted(allowed) +
        "},\"body\":{\"error\":{\"code\":\"bad_request\",\"message\":" + json::quoted(request.method + " is not answered here") +
        ",\"hint\":" + json::quoted("Answered are: " + allowed + ".");
    if (asker.context.correlation_id) text += ",\"correlationId\":" + json::quoted(*asker.context.correlation_id);
    return text + "}}}";
}

}  // namespace pulse::handle
