// Which listener knows which path.
#include "transport/router.hpp"

#include <gtest/gtest.h>

namespace bridge::transport {
namespace {

TEST(Router, InternalPathsExistOnTheInternalListenerOnly) {
    EXPECT_EQ(route(false, "/metrics"), Route::application);
    EXPECT_EQ(route(true, "/metrics"), Route::metrics);
    for (const char *path : {"/socket.io/", "/ws", "/engine.io/", "/sse", "/poll"})
        EXPECT_EQ(route(true, path), Route::application) << path;
    EXPECT_EQ(route(false, "/socket.io/"), Route::engineio);
    EXPECT_EQ(route(false, "/engine.io/"), Route::engineio_echo);
    EXPECT_EQ(route(false, "/ws"), Route::native);
    EXPECT_EQ(route(false, "/sse"), Route::sse);
    EXPECT_EQ(route(false, "/poll"), Route::poll);
    for (const bool internal : {false, true}) {
        EXPECT_EQ(route(internal, "/health"), Route::health);
        EXPECT_EQ(route(internal, "/ready"), Route::ready);
        for (const char *path : {"/", "", "/socket.io", "/health/", "/HEALTH", "/internal", "/internal/x", "/sse/", "/api/x"}) {
            EXPECT_EQ(route(internal, path), Route::application) << path;
        }
    }
}

}  // namespace
}  // namespace bridge::transport
