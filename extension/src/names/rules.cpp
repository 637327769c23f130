// The rules for names.
#include "names/rules.hpp"

#include "json/slice.hpp"

#include "pg/pure.hpp"

namespace pulse::names {

static bool has_control(std::string_view text) {
    for (char byte : text) {
        const auto c = static_cast<unsigned char>(byte);
        if (c < 0x20 || c == 0x7F) return true;
    }
    return false;
}

// `article` and `what` make the hint: "A room name has …". Built only when something is wrong: this runs for each event.
static std::optional<Problem> check(const char *article, const char *what, std::string_view value, size_t most) {
    if (!value.empty() && value.size() <= most && !has_control(value)) return std::nullopt;
    const std::string name(what);
    const std::string hint = article + (" " + name) + " has 1 to " + std::to_string(most) + " bytes and no control characters.";
    if (value.empty()) return Problem{name + " is empty", hint};
    if (value.size() > most)
        return Problem{name + " \"" + excerpt(value) + "\" is too long: " + std::to_string(value.size()) + " bytes", hint};
    return Problem{name + " \"" + excerpt(value) + "\" contains a control character", hint};
}

std::optional<Problem> check_room(std::string_view room) {
    if (auto problem = check("A", "room name", room, kMaxName)) return problem;
    if (room.starts_with(kOwnRooms))
        return Problem{"room name \"" + excerpt(room) + "\" is reserved",
                       "Rooms that begin with pulse: are the engine's own; any other name is accepted."};
    return std::nullopt;
}

std::optional<Problem> check_event_name(std::string_view name) {
    static constexpr std::string_view kReserved[] = {"connect",       "connect_error", "disconnect",
                                                     "disconnecting", "newListener",   "removeListener"};
    if (auto problem = check("An", "event name", name, kMaxName)) return problem;
    for (auto reserved : kReserved)
        if (name == reserved)
            return Problem{"event name \"" + std::string(name) + "\" is reserved",
                           "Socket.IO itself uses connect, connect_error, disconnect, disconnecting, newListener and removeListener; any "
                           "other name is accepted."};
    return std::nullopt;
}

std::optional<Problem> check_channel(std::string_view channel) {
    if (auto problem = check("A", "channel", channel, kMaxChannel)) return problem;
    if (channel.starts_with(kOwnChannels))
        return Problem{"channel \"" + excerpt(channel) + "\" is reserved",
                       "Bridges listen to channels that begin with pulse_ and understand only what the dispatcher writes there; any other "
                       "channel is accepted."};
    return std::nullopt;
}

std::optional<Problem> check_name(std::string_view option, std::string_view value) {
    if (!value.empty() && value.size() <= kMaxName) return std::nullopt;
    const std::string name(option);
    return Problem{value.empty() ? name + " is empty"
                                 : name + " \"" + excerpt(value) + "\" is too long: " + std::to_string(value.size()) + " bytes",
                   name + " has 1 to " + std::to_string(kMaxName) + " bytes."};
}

std::string excerpt(std::string_view text) {
    constexpr size_t kMost = 60;
    size_t length = text.size();
    if (length > kMost) {
        length = kMost;
        while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
    }
    std::string out;
    json::append_escaped(out, text.substr(0, length));
    if (length < text.size()) out += "…";
    return out;
}

}  // namespace pulse::names
