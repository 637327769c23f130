// Reads the NOTIFY payload (docs/reference/notify.md). Pure; slices point into the payload; never throws; fuzzed.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "hub/encoder.hpp"

namespace bridge::hub {

struct NotificationHeader {
    std::string_view epoch;
    Position first, last;  // none when ephemeral
    std::uint64_t sequence = 0;
    bool ephemeral = false;
    std::uint64_t dropped = 0;  // ephemeral events that reached no bridge, since the server started
};

struct EventLine {
    Event event;
    bool by_reference = false;   // empty payload: read it with pulse.bridge_read
    bool unknown_rooms = false;  // rooms, name and headers are empty too
};

// Goes through the lines of one notification.
class Notification {
public:
    static Result<Notification> parse(std::string_view payload);

    const NotificationHeader &header() const { return header_; }
    bool wake_up() const { return wake_up_; }

    // The next event line; nullopt at the end. An error means the payload is malformed (the rest cannot be trusted).
    Result<std::optional<EventLine>> next();

private:
    NotificationHeader header_;
    bool wake_up_ = false;
    std::string_view rest_;
    Position previous_;
};

}  // namespace bridge::hub
