// What an ephemeral event may have, and its line for bridges (docs/reference/notify.md), written once, here.
#include "publish/ephemeral.hpp"

#include "ephemeral/memory.hpp"
#include "ephemeral/outbox.hpp"
#include "json/slice.hpp"
#include "names/rules.hpp"
#include "pg/interval.hpp"

namespace pulse::publish {

namespace {

constexpr std::int64_t kLongestThrottle = std::int64_t{3600} * 1'000'000;  // µs

[[noreturn]] void refuse(std::string_view what) {
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "an ephemeral event has no " + std::string(what), {},
             "It is stored nowhere; publish it without ephemeral => true.");
}

std::string rooms_json(const std::vector<std::string_view> &rooms) {
    std::string json = "[";
    for (const std::string_view room : rooms) {
        if (json.size() > 1) json += ',';
        json::append_quoted(json, room);
    }
    return json += ']';
}

std::int64_t microseconds(Datum interval) {
    const auto us = pg::microseconds_of(interval, 1, kLongestThrottle);
    if (!us)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "throttle is not an interval of up to an hour", {},
                 "throttle => interval '1 second' lets one event a second and key through, the newest.");
    return *us;
}

}  // namespace

void send_ephemeral(const Event &event, const ThrottleOptions &throttle) {
    if (event.attachments) refuse("attachments");
    if (event.partition_key) refuse("partition_key");
    if (event.idempotency_key) refuse("idempotency_key");
    if (throttle.key)
        if (const auto problem = names::check_name("throttle_key", *throttle.key))
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
    check_may_write();
    ephemeral::require_memory("cannot publish an ephemeral event");

    std::string address = rooms_json(event.rooms) + '\t';
    json::append_quoted(address, event.name);
    std::optional<ephemeral::Throttle> throttled;
    if (throttle.interval)
        throttled = ephemeral::Throttle{ephemeral::key_of(address + '\t' + std::string(throttle.key.value_or(""))),
                                        microseconds(*throttle.interval)};
    std::string record = std::move(address);
    for (const std::string_view field : {event.headers, event.payload}) record.append(1, '\t').append(field);
    if (record.size() > ephemeral::kMaxRecord)
        pg::fail(ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                 "ephemeral event \"" + std::string(event.name) + "\" has " + std::to_string(record.size()) +
                     " bytes with its rooms and headers",
                 "An ephemeral event has at most " + std::to_string(ephemeral::kMaxRecord) + " bytes.",
                 "Publish it without ephemeral => true, or publish an id and let clients fetch the rest.");
    ephemeral::add(std::move(record), throttled);
}

}  // namespace pulse::publish
