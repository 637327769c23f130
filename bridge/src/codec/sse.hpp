// An event stream (text/event-stream) for the browser's EventSource and anything that reads lines (docs/reference/sse.md). Blocks:
//   retry: 3000 · id: <cursor>               the first: where the stream begins, also for a client that never sees an event
//   id: <cursor> · event: <name> · data: …   an event; its data is the payload as it was published
//   : ping · id: <cursor>                    the heartbeat, which takes the cursor along where nothing happens
//   event: must-refetch · data: {"reason","position"}
//   event: error · data: {"code","message",…}   the last one
// Pure; writes only.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace bridge::codec::sse {

std::string hello(std::chrono::milliseconds retry, std::string_view cursor);

struct Event {
    std::string_view name;             // JSON string with its quotes
    std::string_view data;             // raw JSON, one value
    std::string_view id;               // cursor; empty: the stream stays where it is
    bool without_attachments = false;  // it has some, which do not go into text
};
std::string event(const Event &event);

std::string ping(std::string_view cursor);  // empty: no id
std::string must_refetch(std::string_view reason, std::string_view cursor);
std::string error(const Error &error);

}  // namespace bridge::codec::sse
