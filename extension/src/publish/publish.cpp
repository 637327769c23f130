// pulse.publish in all its overloads: one body behind four symbols, because only the room (text or text[]) and a jsonb payload
// are read differently. Validates, compacts, stores; knows nothing of tables or triggers.
#include "guc.hpp"
#include "json/check.hpp"
#include "json/placeholders.hpp"
#include "json/slice.hpp"
#include "names/rules.hpp"
#include "pg/text.hpp"
#include "publish/ephemeral.hpp"
#include "publish/event.hpp"
#include "publish/trace.hpp"

namespace pulse::publish {

using namespace names;

namespace {

enum Argument {
    kRoom,
    kEvent,
    kPayload,
    kAttachments,
    kHeaders,
    kExceptSession,
    kPartitionKey,
    kIdempotencyKey,
    kEphemeral,
    kThrottle,
    kThrottleKey
};

std::string_view required(FunctionCallInfo fcinfo, Argument n, const char *name) {
    if (pg::arg_is_null(fcinfo, n))
        pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " is null", {},
                 "pulse.publish needs a room, an event and a payload; an empty payload is 'null'::json.");
    return pg::view(pg::arg(fcinfo, n));
}

std::optional<std::string_view> optional(FunctionCallInfo fcinfo, Argument n) {
    if (pg::arg_is_null(fcinfo, n)) return std::nullopt;
    return pg::view(pg::arg(fcinfo, n));
}

void compact(std::string_view what, std::string_view text, std::string &out) {
    if (auto error = json::check(text, out))
        pg::fail(ERRCODE_INVALID_TEXT_REPRESENTATION, std::string(what) + " is not valid JSON: " + error->message,
                 "at byte " + std::to_string(error->offset) + ": " + excerpt(text.substr(std::min(error->offset, text.size()))),
                 "Build it with json_build_object(…) or to_json(…), and give text as a JSON string in double quotes.");
}

std::vector<std::string_view> rooms_of(FunctionCallInfo fcinfo) {
    if (pg::arg_is_null(fcinfo, kRoom)) required(fcinfo, kRoom, "rooms");
    std::vector<std::string_view> rooms;
    for (const auto &room : pg::text_array(pg::arg(fcinfo, kRoom))) {
        if (!room) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "a room is null", {}, "Take nulls out with array_remove(rooms, null).");
        rooms.push_back(*room);
    }
    return rooms;
}

Datum checked_attachments(Datum attachments, std::string_view payload) {
    struct Found {
        int dimensions, count;
        bool nulls;
        size_t bytes;
    };
    const Found found = pg::call([&] {
        ArrayType *array = DatumGetArrayTypeP(attachments);
        return Found{ARR_NDIM(array), ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)), array_contains_nulls(array), VARSIZE(array)};
    });
    const std::string hint = "Attachments are a bytea[] of at most " + std::to_string(kMaxAttachments) + " values, none of them null.";
    if (found.dimensions > 1) pg::fail(ERRCODE_ARRAY_SUBSCRIPT_ERROR, "attachments have more than one dimension", {}, hint);
    if (static_cast<size_t>(found.count) > kMaxAttachments)
        pg::fail(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "event has " + std::to_string(found.count) + " attachments", {}, hint);
    if (found.nulls) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "an attachment is null", {}, hint);
    if (found.bytes > static_cast<size_t>(guc::max_payload))
        pg::fail(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "attachments have " + std::to_string(found.bytes) + " bytes, more than pulse.max_payload",
                 "pulse.max_payload is " + std::to_string(guc::max_payload) + " bytes.", "Publish a link, or raise pulse.max_payload.");
    for (const json::Placeholder &placeholder : json::placeholders(payload))
        if (!placeholder.num || *placeholder.num >= static_cast<size_t>(found.count))
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "the payload has a placeholder without its attachment", {},
                     "{\"_placeholder\":true,\"num\":0} stands for the first of " + std::to_string(found.count) + ".");
    return attachments;
}

// The caller's headers and the ones that options stand for.
std::string headers_of(FunctionCallInfo fcinfo, const Event &event, std::optional<std::string_view> except_session) {
    std::string headers;
    compact("headers", optional(fcinfo, kHeaders).value_or("{}"), headers);
    const auto members = json::members(headers);
    if (!members)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "headers are not a JSON object", {},
                 "Headers are an object such as {\"traceparent\":\"00-…\",\"actor\":\"u1\"}.");
    const auto add = [&](const char *key, const char *option, std::optional<std::string_view> value) {
        if (json::find(*members, key))
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, std::string("header \"") + key + "\" is set by an option", {},
                     std::string("Use the option ") + option + " of pulse.publish.");
        if (!value) return;
        headers.pop_back();
        if (headers.size() > 1) headers += ',';
        json::append_quoted(headers, key);
        headers += ':';
        json::append_quoted(headers, *value);
        headers += '}';
    };
    add("exceptSession", "except_session", except_session);
    add("idempotencyKey", "idempotency_key", event.idempotency_key);
    add_traceparent(headers);
    return headers;
}

// As text, so that one check serves all forms.
std::string_view jsonb_text(FunctionCallInfo fcinfo) {
    if (pg::arg_is_null(fcinfo, kPayload)) required(fcinfo, kPayload, "payload");
    return pg::call([&]() -> std::string_view {
        Jsonb *json = DatumGetJsonbP(fcinfo->args[kPayload].value);
        return JsonbToCString(nullptr, &json->root, static_cast<int>(VARSIZE(json)));
    });
}

// The SQL of 1.0 has not these arguments.
bool is_ephemeral(FunctionCallInfo fcinfo) {
    return PG_NARGS() > kEphemeral && !pg::arg_is_null(fcinfo, kEphemeral) && DatumGetBool(pg::arg(fcinfo, kEphemeral));
}

ThrottleOptions throttle_of(FunctionCallInfo fcinfo, bool ephemeral) {
    ThrottleOptions throttle;
    if (PG_NARGS() <= kThrottleKey) return throttle;
    if (!pg::arg_is_null(fcinfo, kThrottle)) throttle.interval = pg::arg(fcinfo, kThrottle);
    throttle.key = optional(fcinfo, kThrottleKey);
    if (throttle.interval && !ephemeral)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "only ephemeral events can be throttled", {},
                 "Add ephemeral => true: a stored event is delivered in any case.");
    return throttle;
}

Datum publish(FunctionCallInfo fcinfo, bool many_rooms, bool jsonb) {
    Event event;
    if (many_rooms)
        event.rooms = rooms_of(fcinfo);
    else
        event.rooms = {required(fcinfo, kRoom, "room")};
    event.name = required(fcinfo, kEvent, "event");
    std::string payload;
    compact("payload", jsonb ? jsonb_text(fcinfo) : required(fcinfo, kPayload, "payload"), payload);
    event.payload = payload;
    if (!pg::arg_is_null(fcinfo, kAttachments)) event.attachments = checked_attachments(pg::arg(fcinfo, kAttachments), event.payload);
    event.partition_key = optional(fcinfo, kPartitionKey);
    event.idempotency_key = optional(fcinfo, kIdempotencyKey);
    const auto except_session = optional(fcinfo, kExceptSession);
    if (except_session)
        if (auto problem = check_name("except_session", *except_session))
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
    const std::string headers = headers_of(fcinfo, event, except_session);
    event.headers = headers;
    check(event);
    const bool ephemeral = is_ephemeral(fcinfo);
    const ThrottleOptions throttle = throttle_of(fcinfo, ephemeral);
    if (!ephemeral) return Int64GetDatum(store(event));
    send_ephemeral(event, throttle);
    return Int64GetDatum(0);
}

}  // namespace

}  // namespace pulse::publish

PULSE_FN(pulse_publish) { return pulse::publish::publish(fcinfo, false, false); }
PULSE_FN(pulse_publish_jsonb) { return pulse::publish::publish(fcinfo, false, true); }
PULSE_FN(pulse_publish_rooms) { return pulse::publish::publish(fcinfo, true, false); }
PULSE_FN(pulse_publish_rooms_jsonb) { return pulse::publish::publish(fcinfo, true, true); }
