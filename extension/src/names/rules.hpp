// What names may look like. One place for the limits, so that the message, the hint and the docs say the same. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace pulse::names {

constexpr size_t kMaxName = 255;                     // bytes of a room, event name, key or session
constexpr size_t kMaxRooms = 65536;                  // of one event
constexpr size_t kMaxAttachments = 10;               // Socket.IO's own parsers stop there
constexpr size_t kMaxHeaders = 8192;                 // bytes
constexpr size_t kMaxChannel = 63;                   // bytes of a NOTIFY channel
constexpr std::string_view kOwnChannels = "pulse_";  // how the dispatcher's own begin

constexpr std::string_view kOwnRooms = "pulse:";  // how rooms begin that only the engine publishes to

// What is wrong with an input: a message, and how it would be accepted.
struct Problem {
    std::string message;
    std::string hint;
};

std::optional<Problem> check_room(std::string_view room);
std::optional<Problem> check_event_name(std::string_view name);
std::optional<Problem> check_channel(std::string_view channel);
// Of an option that is only compared: except_session, partition_key, idempotency_key. Any character goes.
std::optional<Problem> check_name(std::string_view option, std::string_view value);

// For messages: at most 60 bytes, never half a character, control characters escaped.
std::string excerpt(std::string_view text);

}  // namespace pulse::names
