// S4: any of several tokens opens what is inside, and nothing else does.
#include "transport/internal_tokens.hpp"

#include <gtest/gtest.h>

namespace bridge::transport {
namespace {

TEST(InternalTokens, S4EachOfThemIsKnown) {
    const InternalTokens tokens({"old-token", "new-token"});
    EXPECT_TRUE(tokens.know("old-token"));
    EXPECT_TRUE(tokens.know("new-token"));
    for (const std::string_view other :
         {"", "old", "old-token ", "OLD-TOKEN", "old-token, new-token", "old-tokennew-token", "third-token"}) {
        EXPECT_FALSE(tokens.know(other)) << other;
    }
    EXPECT_FALSE(tokens.know(std::string_view("old-token\0", 10)));
}

TEST(InternalTokens, S4NobodyHasOneWhereThereIsNone) {
    EXPECT_FALSE(InternalTokens({}).know(""));
    EXPECT_FALSE(InternalTokens({}).know("x"));
    EXPECT_FALSE(InternalTokens({""}).know("")) << "who says nothing has said no token";
}

TEST(InternalTokens, S4OthersInTheirPlaceCountAtOnce) {
    InternalTokens tokens({"old-token"});
    tokens.replace({"new-token", "old-token"});
    EXPECT_TRUE(tokens.know("old-token"));
    tokens.replace({"new-token"});
    EXPECT_FALSE(tokens.know("old-token"));
    EXPECT_TRUE(tokens.know("new-token"));
}

}  // namespace
}  // namespace bridge::transport
