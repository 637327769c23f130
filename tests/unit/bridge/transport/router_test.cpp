// Which listener knows which path.
#include "transport/router.hpp"

#include <gtest/gtest.h>

namespace bridge::transport {
namespace {

TEST(Router, InternalPathsExistOnTheInternalListenerOnly) {
    for (const char *path : {"/internal/x", "/metrics"}) EXPECT_EQ(route(false, path), Route::not_found) << path;
    EXPECT_EQ(route(true, "/metrics"), Route::metrics);
    EXPECT_EQ(route(true, "/internal/realtime/x"), Route::internal);
    for (const char *path : {"/socket.io/", "/ws", "/engine.io/"}) EXPECT_EQ(route(true, path), Route::not_found) << path;
    EXPECT_EQ(route(false, "/socket.io/"), Route::engineio);
    EXPECT_EQ(route(false, "/engine.io/"), Route::engineio_echo);
    EXPECT_EQ(route(false, "/ws"), Route::native);
    for (const bool internal : {false, true}) {
        EXPECT_EQ(route(internal, "/health"), Route::health);
        EXPECT_EQ(route(internal, "/ready"), Route::ready);
        for (const char *path : {"/", "", "/socket.io", "/health/", "/HEALTH", "/internal"}) {
            EXPECT_EQ(route(internal, path), Route::not_found) << path;
        }
    }
}

}  // namespace
}  // namespace bridge::transport
