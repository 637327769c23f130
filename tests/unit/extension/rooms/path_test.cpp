// Paths of requests: which ones they match, with which values, and which of two decides.
#include "rooms/path.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using pulse::rooms::Path;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

namespace {

Path path(std::string_view text) {
    auto parsed = Path::parse(text);
    EXPECT_TRUE(parsed.path) << text << ": " << parsed.error;
    return parsed.path ? std::move(*parsed.path) : *Path::parse("/none").path;
}
std::string error(std::string_view text) {
    auto parsed = Path::parse(text);
    EXPECT_FALSE(parsed.path) << text;
    return parsed.error;
}

TEST(Path, MatchesItsTextAndNothingElse) {
    const Path stream = path("/api/issues/stream");
    EXPECT_THAT(*stream.match("/api/issues/stream"), IsEmpty());
    for (const char *other : {"", "/", "/api/issues", "/api/issues/stream/", "/api/issues/stream/1", "api/issues/stream",
                              "/api//issues/stream", "/API/issues/stream", "/api/issues/strea"})
        EXPECT_FALSE(stream.match(other)) << other;
}

TEST(Path, AVariableIsOneWholeSegment) {
    const Path order = path("/api/orders/{id}/lines/{line}");
    EXPECT_THAT(*order.match("/api/orders/7 ä/lines/{x}"), ElementsAre(Pair("id", "7 ä"), Pair("line", "{x}")));
    for (const char *other : {"/api/orders//lines/1", "/api/orders/7/8/lines/1", "/api/orders/7/lines/", "/api/orders/7/lines"})
        EXPECT_FALSE(order.match(other)) << other;
}

TEST(Path, TextBeforeVariablesSeenFromTheLeft) {
    EXPECT_TRUE(path("/a/{x}/c").more_specific(path("/{x}/b/c")));
    EXPECT_FALSE(path("/{x}/b/c").more_specific(path("/a/{x}/c")));
    EXPECT_TRUE(path("/a/b").more_specific(path("/a/{x}")));
    EXPECT_FALSE(path("/a/{x}").more_specific(path("/a/{y}")));
    EXPECT_FALSE(path("/a/{y}").more_specific(path("/a/{x}")));
}

TEST(Path, ThoseThatTheSameRequestsMatchAreAlike) {
    for (const auto &[a, b] : {std::pair("/a/{x}", "/a/{y}"), {"/a/b", "/a/b"}, {"/{a}/b/{c}", "/{c}/b/{a}"}}) {
        EXPECT_TRUE(path(a).alike(path(b))) << a << ' ' << b;
        EXPECT_TRUE(path(b).alike(path(a))) << b << ' ' << a;
    }
    for (const auto &[a, b] :
         {std::pair("/a/{x}", "/b/{x}"), {"/a/{x}", "/a/x"}, {"/a/{x}", "/a/{x}/{y}"}, {"/a", "/A"}, {"/{a}/b", "/a/{b}"}}) {
        EXPECT_FALSE(path(a).alike(path(b))) << a << ' ' << b;
        EXPECT_FALSE(path(b).alike(path(a))) << b << ' ' << a;
    }
}

TEST(Path, SaysWhatIsWrong) {
    EXPECT_THAT(error(""), HasSubstr("starts with '/'"));
    EXPECT_THAT(error("api"), HasSubstr("starts with '/'"));
    EXPECT_THAT(error("/"), HasSubstr("nothing stands between"));
    EXPECT_THAT(error("/a/"), HasSubstr("nothing stands between"));
    EXPECT_THAT(error("/a//b"), HasSubstr("nothing stands between"));
    EXPECT_THAT(error("/{a}/{a}"), HasSubstr("stands twice"));
    EXPECT_THAT(error("/{1a}"), HasSubstr("starts with no digit"));
    EXPECT_THAT(error("/{}"), HasSubstr("starts with no digit"));
    for (const char *text : {"/a b", "/a?b", "/a#b", "/a%20", "/x{id}", "/{id", "/..", "/a/./b", "/a\n", "/\xff"})
        EXPECT_THAT(error(text), HasSubstr("stands text")) << text;
    EXPECT_THAT(error("/" + std::string(255, 'x')), HasSubstr("255"));
}

TEST(Path, TheBridgesOwnAreKnown) {
    using pulse::rooms::path_of_bridge;
    for (const char *own : {"/ws", "/sse", "/poll", "/health", "/socket.io/x", "/metrics", "/dashboard/a/b"})
        EXPECT_TRUE(path_of_bridge(own)) << own;
    for (const char *other : {"/", "/wsx", "/api/ws", "/api", "ws"}) EXPECT_FALSE(path_of_bridge(other)) << other;
}

}  // namespace
