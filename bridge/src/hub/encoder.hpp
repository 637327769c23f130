// How the hub gets wire bytes without knowing a wire format: the app implements this with codec/outbound.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/protocol.hpp"
#include "hub/frame.hpp"

namespace bridge::hub {

// One event of the log, as slices of a NOTIFY line or of a row; or an ephemeral one, which has no position and no id. All JSON is raw.
struct Event {
    Position position;
    std::uint64_t id = 0;
    std::string_view rooms;    // JSON array of strings
    std::string_view name;     // JSON string with its quotes
    std::string_view headers;  // JSON object
    std::string_view payload;
    std::span<const std::string> attachments;
    bool ephemeral = false;
};

class Encoder {
public:
    virtual ~Encoder() = default;

    // `cursor` is the event's own `epoch:position`; of an ephemeral event the stream's, which is no offset to give away. `room` is one of
    // the event's rooms that the receiver is in; "" for a reply. Null: this event is not for sessions of this namespace (an event stream
    // listens to some names only).
    virtual FramePtr encode(Protocol protocol, std::string_view nsp, const Event &event, std::string_view cursor,
                            std::string_view room) = 0;

    // True when the frame differs from room to room (then the hub makes one for each room).
    virtual bool names_room(Protocol protocol) const = 0;
};

}  // namespace bridge::hub
