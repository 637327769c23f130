// What all channels share: Retry-After, strangers' text, secrets that come back.
#include "queue/channel.hpp"

#include <gtest/gtest.h>

namespace pulse::queue {
namespace {

constexpr std::int64_t kNow = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT

std::optional<std::int64_t> after(std::string_view header) {
    Response response;
    response.retry_after = header;
    return retry_after_ms(response, kNow);
}

TEST(Channel, ReadsRetryAfterAsSecondsOrDate) {
    EXPECT_EQ(after("120"), 120'000);
    EXPECT_EQ(after(" 0 "), 0);
    EXPECT_EQ(after("Sun, 06 Nov 1994 08:50:37 GMT"), 60'000);
    EXPECT_EQ(after("Sun, 06 Nov 1994 08:00:00 GMT"), 0) << "a moment that has passed";
    EXPECT_EQ(after("99999999999999999999999"), 3'600'000) << "no more than an hour";
    EXPECT_EQ(retry_after_ms(Response{}, kNow), std::nullopt);
}

TEST(Channel, IgnoresRetryAfterThatSaysNothing) {
    for (const char *text : {"", "soon", "1.5", "-", "12 s", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Xyz 1994 08:50:37 GMT",
                             "Sun, 0x Nov 1994 08:50:37 GMT"})
        EXPECT_EQ(after(text), std::nullopt) << text;
}

TEST(Channel, MakesOneLineOfStrangersText) {
    EXPECT_EQ(words("  a\r\n\tb\x01 c  "), "a b c");
    EXPECT_EQ(words("gr\xC3\xBC\xC3\x9F"), "grüß");
    EXPECT_EQ(words("\xFF\xC0\x80 \xED\xA0\x80"), "??? ???") << "no UTF-8, overlong, surrogate";
    EXPECT_EQ(words(std::string(400, 'x')).size(), 299 + std::string("…").size());
    EXPECT_EQ(words("äöü", 4), "ä…") << "cut between characters";
    EXPECT_EQ(words(""), "");
}

TEST(Channel, KeepsJsonAsJson) {
    EXPECT_EQ(as_json(" {\"a\" : [1, 2]} ", 100), "{\"a\":[1,2]}");
    EXPECT_EQ(as_json("", 100), "null");
    EXPECT_EQ(as_json("<html>", 100), "\"<html>\"");
    EXPECT_EQ(as_json("{\"a\":", 100), "\"{\\\"a\\\":\"");
    EXPECT_EQ(as_json("\"a\\u0000b\"", 100), "\"\\\"a\\\\u0000b\\\"\"") << "PostgreSQL can make no text of it";
    EXPECT_EQ(as_json("{\"a\":\"\xFF\"}", 100), "\"{\\\"a\\\":\\\"?\\\"}\"");
    EXPECT_EQ(as_json("[1,2,3]", 3), "\"[1…\"");
}

TEST(Channel, TakesSecretsOutOfAnswers) {
    Response response;
    response.body = "you sent s3cret and s3cret";
    response.failure = "s3cret";
    redact(response, {"s3cret", ""});
    EXPECT_EQ(response.body, "you sent [secret] and [secret]");
    EXPECT_EQ(response.failure, "[secret]");
    response.body = "secret";
    redact(response, {"secret"});
    EXPECT_EQ(response.body, "[secret]") << "what is put there is not searched again";
}

TEST(Channel, TriesAgainWhatTheTransportOrTheServerFailed) {
    Response response;
    response.failure = "timed out";
    EXPECT_EQ(judge_transport(response, "X", kNow)->error, "X: timed out");
    for (const int status : {408, 425, 429, 500, 502, 503, 599}) {
        response = {};
        response.status = status;
        response.retry_after = "7";
        const auto outcome = judge_transport(response, "X", kNow);
        ASSERT_TRUE(outcome) << status;
        EXPECT_EQ(outcome->what, Outcome::kRetry);
        EXPECT_EQ(outcome->retry_after_ms, 7000);
    }
    for (const int status : {200, 204, 301, 400, 401, 404, 410}) {
        response = {};
        response.status = status;
        EXPECT_FALSE(judge_transport(response, "X", kNow)) << status;
    }
}

TEST(Channel, EncodesForms) {
    EXPECT_EQ(form_encoded("a b+c&d=é~"), "a%20b%2Bc%26d%3D%C3%A9~");
    EXPECT_EQ(with_path("https://a/", "/b"), "https://a/b");
    EXPECT_FALSE(fits_header("a\r\nb: c"));
    EXPECT_TRUE(fits_header("a\tb é"));
}

}  // namespace
}  // namespace pulse::queue
