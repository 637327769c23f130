// See router.hpp.
#include "transport/router.hpp"

namespace bridge::transport {

Route route(bool internal_listener, std::string_view path) {
    if (path == "/health") return Route::health;
    if (path == "/ready") return Route::ready;
    if (internal_listener) return path == "/metrics" ? Route::metrics : Route::application;
    if (path == "/socket.io/") return Route::engineio;
    if (path == "/engine.io/") return Route::engineio_echo;
    if (path == "/ws") return Route::native;
    if (path == "/sse") return Route::sse;
    if (path == "/poll") return Route::poll;
    return Route::application;
}

}  // namespace bridge::transport
