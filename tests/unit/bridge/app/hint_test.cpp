// The hints of `check`: to PostgreSQL's words, the first that fits.
#include "app/hint.hpp"

#include <gmock/gmock.h>

namespace bridge::app {
namespace {

using testing::HasSubstr;

TEST(Hint, SaysWhatToDoAboutWhatPostgresqlSaid) {
    EXPECT_THAT(
        hint_for(R"(connection to server at "db" (10.0.0.1), port 5432 failed: FATAL:  password authentication failed for user "b")"),
        HasSubstr("is the password right"));
    EXPECT_THAT(hint_for(R"(FATAL:  role "nobody" does not exist)"), HasSubstr("CREATE ROLE"));
    EXPECT_THAT(hint_for("permission denied for schema pulse"), HasSubstr("GRANT pulse_bridge"));
    EXPECT_THAT(hint_for("function pulse.handle_connect(unknown, json) does not exist"), HasSubstr("ALTER EXTENSION pulse UPDATE"));
    EXPECT_EQ(hint_for("something that nobody has seen yet"), "");
}

}  // namespace
}  // namespace bridge::app
