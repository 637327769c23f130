// What listeners over plain HTTP want, in the place of a namespace.
#include "base/scope.hpp"

#include <gtest/gtest.h>

namespace bridge {
namespace {

TEST(Scope, HasALabelAndPerhapsNames) {
    EXPECT_EQ(scope("/sse", {}), "/sse");
    EXPECT_EQ(scope("/sse", {"b", "a", "b"}), scope("/sse", {"a", "b"}));
    EXPECT_EQ(label(scope("/sse", {"a", "b"})), "/sse");
    EXPECT_EQ(label("/admin"), "/admin");
}

TEST(Scope, WantsEverythingOrTheNamesThatItHas) {
    EXPECT_TRUE(wants(scope("/sse", {}), R"("anything")"));
    const std::string few = scope("/sse", {"order:new", "order:updated", "say \"hi\""});
    EXPECT_TRUE(wants(few, R"("order:new")"));
    EXPECT_TRUE(wants(few, R"("order:updated")"));
    EXPECT_TRUE(wants(few, R"("say \"hi\"")"));
    EXPECT_FALSE(wants(few, R"("order")"));
    EXPECT_FALSE(wants(few, R"("order:newer")"));
    EXPECT_FALSE(wants(few, R"("/sse")"));
    EXPECT_FALSE(wants(few, R"("order:new\norder:updated")"));
}

}  // namespace
}  // namespace bridge
