// Which request goes where, by listener and path. Pure.
#pragma once

#include <string_view>

namespace bridge::transport {

enum class Route {
    engineio,       // /socket.io/
    engineio_echo,  // /engine.io/
    native,         // /ws
    health,
    ready,
    metrics,
    internal,  // /internal/…, on the internal listener only
    not_found,
};

Route route(bool internal_listener, std::string_view path);

}  // namespace bridge::transport
