// Which request goes where, by listener and path. Pure.
#pragma once

#include <string_view>

namespace bridge::transport {

enum class Route {
    engineio,       // /socket.io/
    engineio_echo,  // /engine.io/
    native,         // /ws
    sse,
    poll,
    health,
    ready,
    metrics,
    application,  // SQL's: everything else
};

Route route(bool internal_listener, std::string_view path);

}  // namespace bridge::transport
