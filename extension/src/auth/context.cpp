// Parsing a context, and what pulse.claims() and its like return.
#include "auth/context.hpp"

#include "guc.hpp"
#include "json/slice.hpp"
#include "pg/text.hpp"

namespace pulse::auth {

static const Context *current_context = nullptr;
static Datum current_attachments = 0;  // bytea[], in the memory of the call

std::optional<Context> parse_context(std::string_view text, std::string *problem) {
    const auto members = json::members(text);
    if (!members) {
        *problem = "context is no JSON object";
        return std::nullopt;
    }
    static constexpr struct {
        std::string_view key;
        std::optional<std::string> Context::*field;
    } kFields[] = {{"userId", &Context::user_id},
                   {"sessionId", &Context::session_id},
                   {"socketId", &Context::socket_id},
                   {"namespace", &Context::namespace_name},
                   {"ip", &Context::ip},
                   {"correlationId", &Context::correlation_id},
                   {"traceparent", &Context::traceparent}};
    Context context;
    for (const json::Member &member : *members) {  // the last one of a name counts
        const json::Kind kind = json::kind(member.value);
        const bool null = kind == json::Kind::kNull;
        if (member.key == "claims") {
            if (!null && kind != json::Kind::kObject) {
                *problem = "context.claims is no JSON object";
                return std::nullopt;
            }
            context.claims = null ? "{}" : member.value;
        } else if (member.key == "auth") {
            context.auth = null ? std::nullopt : std::optional<std::string>(member.value);
        } else {
            for (const auto &[key, field] : kFields) {
                if (member.key != key) continue;
                context.*field = null ? std::nullopt : json::unescape(member.value);
                if (null || context.*field) break;
                *problem = "context." + member.key + " is no string";
                return std::nullopt;
            }
        }
    }
    if (context.user_id && context.user_id->empty()) {
        *problem = "context.userId is empty";
        return std::nullopt;
    }
    return context;
}

const Context *current() { return current_context; }

Scope::Scope(const Context &context, Datum attachments) : outer_(current_context), outer_attachments_(current_attachments) {
    settings_.set("request.jwt.claims", context.claims.c_str());
    if (context.traceparent || guc::traceparent[0] != '\0') settings_.set("pulse.traceparent", context.traceparent.value_or("").c_str());
    current_context = &context;
    current_attachments = attachments;
}

Scope::~Scope() {
    current_context = outer_;
    current_attachments = outer_attachments_;
}

static Datum text_or_null(FunctionCallInfo fcinfo, std::optional<std::string> Context::*field) {
    if (current_context == nullptr || !(current_context->*field)) return pg::null_result(fcinfo);
    return pg::text_datum(*(current_context->*field));
}

}  // namespace pulse::auth

namespace pg = pulse::pg;
namespace json = pulse::json;
using pulse::auth::Context;

PULSE_FN(pulse_claims) {
    if (pulse::auth::current() == nullptr) return pg::null_result(fcinfo);
    return pg::text_datum(pulse::auth::current()->claims);
}

PULSE_FN(pulse_claim) {
    if (pulse::auth::current() == nullptr || pg::arg_is_null(fcinfo, 0)) return pg::null_result(fcinfo);
    const auto members = json::members(pulse::auth::current()->claims);
    const auto value = members ? json::find(*members, pg::view(pg::arg(fcinfo, 0))) : std::nullopt;
    if (!value || json::kind(*value) == json::Kind::kNull) return pg::null_result(fcinfo);
    if (json::kind(*value) != json::Kind::kString) return pg::text_datum(*value);
    const auto text = json::unescape(*value);
    if (!text)
        pg::fail(ERRCODE_UNTRANSLATABLE_CHARACTER,
                 "claim \"" + pg::to_string(pg::arg(fcinfo, 0)) + "\" contains \\u0000, which no text can hold");
    return pg::text_datum(*text);
}

PULSE_FN(pulse_user_id) { return pulse::auth::text_or_null(fcinfo, &Context::user_id); }
PULSE_FN(pulse_session_id) { return pulse::auth::text_or_null(fcinfo, &Context::session_id); }
PULSE_FN(pulse_socket_id) { return pulse::auth::text_or_null(fcinfo, &Context::socket_id); }

PULSE_FN(pulse_auth) { return pulse::auth::text_or_null(fcinfo, &Context::auth); }

PULSE_FN(pulse_attachments) {
    if (pulse::auth::current_attachments == 0) return pg::null_result(fcinfo);
    return pulse::auth::current_attachments;
}
