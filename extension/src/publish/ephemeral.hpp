// pulse.publish(…, ephemeral => true): an event for who is here when it is committed, without a row.
#pragma once

#include <optional>
#include <string_view>

#include "publish/event.hpp"

namespace pulse::publish {

struct ThrottleOptions {
    std::optional<Datum> interval;  // null: not throttled
    std::optional<std::string_view> key;
};

// `event` is checked. Raises for what only a stored event can have.
void send_ephemeral(const Event &event, const ThrottleOptions &throttle);

}  // namespace pulse::publish
