// What a client may read of a failed statement (docs/reference/bridge.md, "Errors").
#include "db/sql_error.hpp"

#include <gtest/gtest.h>

#include "db/queries.hpp"

namespace bridge::db {
namespace {

TEST(SqlError, ClassPlCarriesCodeMessageAndHintToTheClient) {
    const Error error = to_error({"PL409", "dose already logged", "", "look at the log"});
    EXPECT_EQ(error.code, Errc::conflict);
    EXPECT_EQ(error.detail, "dose already logged");
    EXPECT_EQ(error.hint, "look at the log");
    for (const auto &[sqlstate, code] : {std::pair{"PL400", Errc::bad_request},
                                         {"PL401", Errc::unauthenticated},
                                         {"PL403", Errc::forbidden},
                                         {"PL404", Errc::not_found},
                                         {"PL410", Errc::must_refetch},
                                         {"PL413", Errc::payload_too_large},
                                         {"PL422", Errc::invalid},
                                         {"PL503", Errc::unavailable}}) {
        EXPECT_EQ(to_error({sqlstate, "m", "", ""}).code, code) << sqlstate;
    }
}

TEST(SqlError, RateLimitTakesTheSecondsFromDetail) {
    EXPECT_EQ(to_error({"PL429", "slow down", "7", ""}).retry_after, 7);
    EXPECT_EQ(to_error({"PL429", "slow down", "7 seconds", ""}).retry_after, 0);
    EXPECT_EQ(to_error({"PL429", "slow down", "-1", ""}).retry_after, 0);
}

TEST(SqlError, M7DetailAsJsonIsPartOfTheError) {
    const Error limited = to_error({"PL429", "too many", R"({"class":"chat","retryAfter":12})", ""});
    EXPECT_EQ(limited.retry_after, 12);
    EXPECT_EQ(limited.limit_class, "chat");
    EXPECT_EQ(limited.details, R"("class":"chat")");
    const Error conflict = to_error({"PL409", "dose already logged", R"({"loggedBy":{"id":"ann"},"code":"ok","class":"x","n":1.50})", ""});
    EXPECT_EQ(conflict.details, R"("loggedBy":{"id":"ann"},"class":"x","n":1.50)") << "what every error has is not replaced";
    EXPECT_EQ(conflict.limit_class, "");
    EXPECT_EQ(to_error({"PL409", "m", "{\"a\":", ""}).details, "") << "no JSON";
    EXPECT_EQ(to_error({"22012", "m", R"({"a":1})", ""}).details, "") << "an internal error says nothing";
}

TEST(SqlError, EverythingElseIsInternalAndSaysNothing) {
    for (const char *sqlstate : {"22012", "42P01", "PL999", "XX000", "23505"}) {
        const Error error = to_error({sqlstate, "relation secret.table does not exist", "detail", "hint"});
        EXPECT_EQ(error.code, Errc::internal) << sqlstate;
        EXPECT_EQ(error.detail.find("secret"), std::string::npos);
        EXPECT_TRUE(error.hint.empty());
    }
}

TEST(SqlError, TimeoutsAndLostConnectionsMeanTryAgain) {
    for (const char *sqlstate : {"", "57014", "57P01", "57P03", "53300", "08006"}) {
        EXPECT_EQ(to_error({sqlstate, "m", "", ""}).code, Errc::unavailable) << sqlstate;
    }
}

TEST(Queries, OnlyAPlainNameIsListenedTo) {
    EXPECT_TRUE(is_channel("pulse_0123456789abcdef0123456789abcdef"));
    for (const char *bad : {"", "a\"; DROP TABLE x; --", "Pulse_1", "a b", "a\n", "ä"}) EXPECT_FALSE(is_channel(bad)) << bad;
    EXPECT_FALSE(is_channel(std::string(64, 'a')));
    EXPECT_EQ(listen("pulse_1"), "LISTEN \"pulse_1\"");
}

}  // namespace
}  // namespace bridge::db
