// See router.hpp.
#include "transport/router.hpp"

namespace bridge::transport {

Route route(bool internal_listener, std::string_view path) {
    if (path == "/health") return Route::health;
    if (path == "/ready") return Route::ready;
    if (internal_listener) {
        if (path == "/metrics") return Route::metrics;
        if (path.starts_with("/internal/")) return Route::internal;
        return Route::not_found;
    }
    if (path == "/socket.io/") return Route::engineio;
    if (path == "/engine.io/") return Route::engineio_echo;
    if (path == "/ws") return Route::native;
    return Route::not_found;
}

}  // namespace bridge::transport
