// Subprotocol `pulse.v1.json`: one JSON object a WebSocket text message, for clients without Socket.IO (docs/reference/native.md).
//   client  {"type":"connect","token":"…"?,"recovery":"…"?,"since":"…"?}   needed only when the request carried no token
//           {"type":"emit","event":"…","args":[…]?,"id":…?}        {"type":"join","room":"…","since":"…"?,"id":…?}
//           {"type":"leave","room":"…","id":…?}                    {"type":"ping"}      {"type":"ack","id":…,"args":[…]}
//           emit and ack may have "attachments":["base64",…], for {"_placeholder":true,"num":0} in args; so may event and ack
//   server  {"type":"connected","session":"…","position":"…","recovery"?,"recovered"?,"mustRefetch"?}
//           {"type":"event","event","args":[…],"room"?,"position"?,"id"?}
//           {"type":"ack","id":…,"args":[…]}                       {"type":"pong"}
//           {"type":"error","code","message","hint"?,"event"?,"correlationId"?,"retryAfter"?,"id"?}
// A client's message may have "traceparent":"00-…": that of connect counts where a later one has none of its own.
// `id` is the client's own JSON number or string and comes back as it was. Unknown keys are ignored. Pure, bounded, fuzzed.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "codec/error_json.hpp"
#include "codec/packet.hpp"

namespace bridge::codec::native {

inline constexpr std::string_view kSubprotocol = "pulse.v1.json";

struct Limits {
    std::size_t max_payload = 1'000'000;
    std::size_t max_event_name = 255;
    std::size_t max_room = 255;
    std::size_t max_id = 64;
    std::size_t max_depth = 64;
};

// protocol_error: not a JSON object, close. Everything else that is wrong is in Inbound::problem, with the id when there is one.
Result<Inbound> decode(std::string_view message, const Limits &limits = {});

// Complete WebSocket frames.
struct Connected {
    std::string_view session, position;
    std::string_view recovery;  // the secret to come back with; empty: recovery is off, and the rest is left out too
    bool recovered = false;
    std::string_view must_refetch{};  // why not, when it was asked for
};
std::string connected(const Connected &connected);
std::string ack(std::string_view raw_id, std::string_view args_json, std::span<const std::string> attachments = {});
std::string pong();

struct Event {
    std::string_view name;                     // JSON string with its quotes
    std::string_view args;                     // raw JSON values joined by commas
    std::string_view room;                     // plain text; empty: left out
    std::string_view position;                 // cursor; empty: left out
    std::string_view id;                       // raw; empty: none
    std::span<const std::string> attachments;  // as "attachments":["base64",…]
};
std::string event(const Event &event);
void append_event(std::string &out, const Event &event);  // its members without type and braces

std::string error(const Error &error, const ErrorDetails &details, std::string_view raw_id = {});

}  // namespace bridge::codec::native
