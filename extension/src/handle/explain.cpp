// pulse.explain_access: what the policies would say to a client with some claims. It asks the very policy, as decide does.
#include "handle/decide.hpp"
#include "json/slice.hpp"

#include <algorithm>

namespace pulse::handle {

// As the bridge reads it from a token: userId, else sub; text, or a whole number.
static std::optional<std::string> user_of(const std::string &claims) {
    const auto members = json::members(claims);
    for (const char *key : {"userId", "sub"}) {
        const auto value = members ? json::find(*members, key) : std::nullopt;
        if (!value || json::kind(*value) == json::Kind::kNull) continue;
        std::optional<std::string> user;
        if (json::kind(*value) == json::Kind::kString)
            user = json::unescape(*value);
        else if (std::all_of(value->begin(), value->end(), [](char c) { return '0' <= c && c <= '9'; }))
            user = std::string(*value);
        if (!user)
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, std::string("the claim ") + key + " is no text and no whole number", {},
                     "Bridges refuse such a token.");
        if (!user->empty()) return user;
    }
    return std::nullopt;
}

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_explain_access) {
    const Oid owner = pg::function_owner(fcinfo);
    auth::Context context;
    if (!pg::arg_is_null(fcinfo, 0)) context.claims = pg::to_string(pg::arg(fcinfo, 0));
    if (json::kind(context.claims) != json::Kind::kObject)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "claims is no JSON object", {},
                 "Give the payload of a token, like {\"userId\":\"ann\"}.");
    context.user_id = handle::user_of(context.claims);
    std::vector<handle::Request> requests(1);
    handle::Request &request = requests.front();
    request.operation = handle::text_argument(fcinfo, 1, "operation");
    request.room = handle::text_argument(fcinfo, 2, "room");
    request.context = &context;
    handle::within_deadline("explaining", [&] { handle::decide_all(owner, requests, handle::Errors::kTold); });

    pg::call([&] { InitMaterializedSRF(fcinfo, 0); });
    auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    const bool found = !request.function.empty();
    Datum values[5] = {BoolGetDatum(request.allowed), found ? pg::text_datum(request.pattern) : Datum(0),
                       found ? pg::text_datum(request.function) : Datum(0),
                       request.extension ? pg::text_datum(*request.extension) : Datum(0), pg::text_datum(request.reason)};
    bool nulls[5] = {false, !found, !found, !request.extension, false};
    pg::call([&] { tuplestore_putvalues(result->setResult, result->setDesc, values, nulls); });
    return Datum(0);
}
