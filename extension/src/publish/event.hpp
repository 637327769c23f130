// One event on its way into the log: checked here, stored here, by pulse.publish and by the trigger alike. Takes no lock that
// another publisher could wait for, sends no NOTIFY, runs no plan (but for an idempotency key).
#pragma once

#include "pg/guard.hpp"

namespace pulse::publish {

// Views must outlive store(). payload and headers are compact JSON.
struct Event {
    std::string_view name;
    std::vector<std::string_view> rooms;
    std::string_view payload;
    std::string_view headers = "{}";
    std::optional<Datum> attachments;  // bytea[], checked by the caller
    std::optional<std::string_view> partition_key;
    std::optional<std::string_view> channel;  // legacy
    std::optional<std::string_view> idempotency_key;
};

// Raises with a hint that lists what is accepted. Takes duplicates out of the rooms.
void check(Event &event);
void check_may_write();  // raises where nothing can be published: on a standby, in a read-only transaction
// Writes a checked event; returns its id, or of a known idempotency key the id of the first event.
int64 store(const Event &event);

}  // namespace pulse::publish
