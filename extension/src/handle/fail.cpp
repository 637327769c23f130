// pulse.fail: an error for the client, as SQLSTATE class PL. Further members of the error travel as JSON object in its DETAIL.
#include "handle/codes.hpp"
#include "json/slice.hpp"

#include <algorithm>

namespace pulse::handle {

namespace {

constexpr std::size_t kMostDetails = 1000;  // bytes; an error's DETAIL holds them

// Compact, each member once; what the engine itself says in an error is not taken over.
std::string details_of(std::string_view given) {
    static constexpr std::string_view kOwn[] = {"code", "message", "hint", "event", "correlationId"};
    const auto members = json::members(given);
    if (!members)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "details is no JSON object", {},
                 "Its members stand beside code and message of the error.");
    std::string text = "{";
    for (const json::Member &member : *members) {
        if (std::find(std::begin(kOwn), std::end(kOwn), member.key) != std::end(kOwn))
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "details has the member \"" + member.key + "\", which every error has of its own", {},
                     "Reserved are: code, message, hint, event, correlationId.");
        if (json::find(*members, member.key)->data() != member.value.data()) continue;  // a later one of that name counts
        if (text.size() > 1) text += ',';
        text += json::quoted(member.key) + ":" + json::compact(member.value);
    }
    text += '}';
    if (text.size() > kMostDetails)
        pg::fail(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "details has " + std::to_string(text.size()) + " bytes", {},
                 "It has at most " + std::to_string(kMostDetails) + " bytes.");
    return text.size() > 2 ? text : std::string();
}

}  // namespace

}  // namespace pulse::handle

using namespace pulse;

// Version 1.0 has three arguments.
PULSE_FN(pulse_fail) {
    const auto code = pg::optional_text(fcinfo, 0), message = pg::optional_text(fcinfo, 1), hint = pg::optional_text(fcinfo, 2);
    const bool more = fcinfo->nargs > 3 && !pg::arg_is_null(fcinfo, 3);
    std::string known;
    for (const auto &entry : handle::kCodes) {
        if (code == entry.name)
            pg::fail(entry.sqlstate, message.value_or(*code), more ? handle::details_of(pg::view(pg::arg(fcinfo, 3))) : "",
                     hint.value_or(""));
        known += (known.empty() ? "" : ", ") + std::string(entry.name);
    }
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, code ? "unknown error code \"" + *code + "\"" : "the error code is null", {},
             "Known codes: " + known + ".");
}
