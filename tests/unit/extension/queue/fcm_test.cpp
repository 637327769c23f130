// E4, D7: messages as FCM HTTP v1 takes them, and what its answers mean. Error bodies as its documentation shows them.
#include "queue/fcm.hpp"

#include <gtest/gtest.h>

namespace pulse::queue::fcm {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;
const Settings kSettings{"https://fcm.example/", "my-project", false};

std::string body_of(std::string_view args, const Settings &settings = kSettings) {
    const Built built = build(args, settings, "ya29.token", kNow);
    return std::holds_alternative<Request>(built) ? std::get<Request>(built).body : "refused: " + std::get<Outcome>(built).error;
}

Response answer(int status, std::string body, std::optional<std::string> retry_after = {}) {
    Response response;
    response.status = status;
    response.body = std::move(body);
    response.retry_after = std::move(retry_after);
    return response;
}

std::string error(int status, const std::string &canonical, const std::string &code = {}) {
    return R"({"error":{"code":)" + std::to_string(status) + R"(,"message":"why","status":")" + canonical + "\"" +
           (code.empty()
                ? ""
                : R"(,"details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[]},{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":")" +
                      code + "\"}]") +
           "}}";
}

TEST(Fcm, E4AddressesTheProjectWithTheToken) {
    const Built built = build(R"({"token":"t1","notification":{"title":"a"}})", kSettings, "ya29.token", kNow);
    const Request &request = std::get<Request>(built);
    EXPECT_EQ(request.url, "https://fcm.example/v1/projects/my-project/messages:send");
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.headers, (std::vector<std::string>{"Content-Type: application/json", "Authorization: Bearer ya29.token"}));
    EXPECT_EQ(request.body, R"({"message":{"token":"t1","notification":{"title":"a"}}})");
    EXPECT_EQ(request.secrets, std::vector<std::string>{"ya29.token"});
}

TEST(Fcm, D7DataAreStringsOnly) {
    EXPECT_EQ(
        body_of(R"({"token":"t","data":{"a":"x","n":1.50,"b":true,"z":null,"o":{"k":[1, 2]}}})"),
        R"({"message":{"token":"t","data":{"a":"x","n":"1.50","b":"true","o":"{\"k\":[1,2]}"},"apns":{"payload":{"aps":{"content-available":1}}}}})");
}

TEST(Fcm, E4UrgentCollapseKeyAndTtlReachEachPlatform) {
    EXPECT_EQ(body_of(R"({"topic":"news","notification":{},"urgent":true,"collapseKey":"k","ttl":90})"),
              R"({"message":{"topic":"news","notification":{},"android":{"priority":"HIGH","collapse_key":"k","ttl":"90s"},)"
              R"("apns":{"headers":{"apns-priority":"10","apns-collapse-id":"k","apns-expiration":"1800000090"}},)"
              R"("webpush":{"headers":{"Urgency":"high","TTL":"90"}}}})");
    EXPECT_EQ(body_of(R"({"condition":"'a' in topics","notification":{},"urgent":false,"ttl":"0s"})"),
              R"({"message":{"condition":"'a' in topics","notification":{},"android":{"priority":"NORMAL","ttl":"0s"},)"
              R"("apns":{"headers":{"apns-priority":"5","apns-expiration":"0"}},"webpush":{"headers":{"Urgency":"normal","TTL":"0"}}}})");
}

TEST(Fcm, E4SilentMessagesGoToApnsWithLowPriority) {
    EXPECT_EQ(
        body_of(R"({"token":"t","urgent":true})"),
        R"({"message":{"token":"t","android":{"priority":"HIGH"},"apns":{"headers":{"apns-priority":"5"},"payload":{"aps":{"content-available":1}}},)"
        R"("webpush":{"headers":{"Urgency":"high"}}}})");
}

TEST(Fcm, E4PlatformsOwnOptionsComeLast) {
    EXPECT_EQ(body_of(R"({"token":"t","notification":{},"urgent":true,"android":{"priority":"NORMAL","notification":{"channel_id":"c"}},)"
                      R"("apns":{"headers":{"apns-topic":"x"},"payload":{"aps":{"sound":"s"}}},"fcmOptions":{"analytics_label":"l"}})"),
              R"({"message":{"token":"t","notification":{},"android":{"priority":"NORMAL","notification":{"channel_id":"c"}},)"
              R"("apns":{"headers":{"apns-priority":"10","apns-topic":"x"},"payload":{"aps":{"sound":"s"}}},)"
              R"("webpush":{"headers":{"Urgency":"high"}},"fcm_options":{"analytics_label":"l"}}})");
    EXPECT_EQ(body_of(R"({"message":{"token":"t","data":{"a":"b"}}})"), R"({"message":{"token":"t","data":{"a":"b"}}})");
}

TEST(Fcm, E4DryRunAsksThatNothingBeDelivered) {
    EXPECT_EQ(body_of(R"({"message":{},"dryRun":true})"), R"({"validate_only":true,"message":{}})");
    EXPECT_EQ(body_of(R"({"message":{}})", {"https://a", "p", true}), R"({"validate_only":true,"message":{}})");
}

TEST(Fcm, E4ArgumentsThatCannotBeSentAreNamedWithWhatIsAccepted) {
    const auto wrong = [](std::string_view args) { return std::get<Outcome>(build(args, kSettings, "t", kNow)).error; };
    EXPECT_EQ(
        wrong(R"({"token":"t","colour":1})"),
        "args: unknown member \"colour\"; there are token, topic, condition, notification, data, urgent, collapseKey, ttl, android, apns, "
        "webpush, fcmOptions, dryRun, message");
    EXPECT_EQ(wrong(R"({"message":{"token":"t"},"ttl":7})"), "args: message is sent as it is: ttl belongs into it");
}

TEST(Fcm, E4ArgumentsThatCannotBeSentAreRefusedForGood) {
    for (const char *args :
         {"[]", "{}", "nonsense", R"({"token":"a","topic":"b"})", R"({"token":""})", R"({"token":7})", R"({"token":"t","data":[]})",
          R"({"token":"t","ttl":-1})", R"({"token":"t","ttl":2419201})", R"({"token":"t","ttl":"1h"})", R"({"token":"t","urgent":"yes"})",
          R"({"token":"t","colour":1})", R"({"message":"x"})", R"({"token":"t","collapseKey":7})", R"({"token":"t","dryRun":1})"}) {
        const Built built = build(args, kSettings, "t", kNow);
        ASSERT_TRUE(std::holds_alternative<Outcome>(built)) << args;
        EXPECT_EQ(std::get<Outcome>(built).what, Outcome::kDiscard) << args;
        EXPECT_FALSE(is_dead_token(std::get<Outcome>(built))) << args;
    }
}

TEST(Fcm, E4AcceptedIsDone) {
    const Outcome outcome = judge(answer(200, R"({"name":"projects/p/messages/1"})"), kNow);
    EXPECT_EQ(outcome.what, Outcome::kCompleted);
    EXPECT_EQ(outcome.result_json, R"({"name":"projects/p/messages/1"})");
    EXPECT_EQ(judge(answer(200, R"({"nam)"), kNow).what, Outcome::kCompleted) << "the rest of the answer was lost";
}

TEST(Fcm, D7OnlyUnregisteredMeansThatTheTokenIsDead) {
    const Outcome outcome = judge(answer(404, error(404, "NOT_FOUND", "UNREGISTERED")), kNow);
    EXPECT_EQ(outcome.what, Outcome::kDiscard);
    EXPECT_TRUE(is_dead_token(outcome));
    EXPECT_EQ(outcome.error, "FCM answered 404 UNREGISTERED: why");
    for (const auto &[status, canonical, code] : {std::tuple{400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"},
                                                  {400, "INVALID_ARGUMENT", ""},
                                                  {403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"},
                                                  {404, "NOT_FOUND", ""},
                                                  {429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"},
                                                  {500, "INTERNAL", "INTERNAL"},
                                                  {503, "UNAVAILABLE", "UNAVAILABLE"}})
        EXPECT_FALSE(is_dead_token(judge(answer(status, error(status, canonical, code)), kNow))) << status << canonical << code;
}

TEST(Fcm, E4WhatIsTriedAgainAndWhatIsNot) {
    const auto what = [](int status, const std::string &canonical, const std::string &code = {}) {
        return judge(answer(status, error(status, canonical, code)), kNow).what;
    };
    EXPECT_EQ(what(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), Outcome::kDiscard);
    EXPECT_EQ(what(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), Outcome::kDiscard);
    EXPECT_EQ(what(403, "PERMISSION_DENIED"), Outcome::kRetry) << "an API that is not enabled";
    EXPECT_EQ(what(404, "NOT_FOUND"), Outcome::kRetry) << "a project that is not there";
    EXPECT_EQ(what(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), Outcome::kRetry);
    EXPECT_EQ(what(500, "INTERNAL", "INTERNAL"), Outcome::kRetry);
    EXPECT_EQ(what(302, ""), Outcome::kRetry);
    EXPECT_EQ(judge(answer(502, "<!DOCTYPE html><title>Error 502</title>"), kNow).error,
              "FCM answered 502: <!DOCTYPE html><title>Error 502</title>");
    EXPECT_EQ(judge(Response{}, kNow).what, Outcome::kRetry);
}

TEST(Fcm, E4WaitsAsLongAsItIsTold) {
    EXPECT_EQ(judge(answer(503, "", "30"), kNow).retry_after_ms, 30'000);
    EXPECT_EQ(judge(answer(503, ""), kNow).retry_after_ms, std::nullopt);
    EXPECT_EQ(judge(answer(429, error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), "5"), kNow).retry_after_ms, 5000);
    EXPECT_EQ(judge(answer(429, ""), kNow).retry_after_ms, 60'000) << "a minute, as FCM asks for";
}

TEST(Fcm, E4ARefusedAccessTokenIsNoRefusedApnsKey) {
    EXPECT_TRUE(token_refused(answer(401, error(401, "UNAUTHENTICATED"))));
    EXPECT_TRUE(token_refused(answer(401, "")));
    EXPECT_FALSE(token_refused(answer(401, error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"))));
    EXPECT_FALSE(token_refused(answer(403, "")));
}

TEST(Fcm, D7KnowsWhichDeviceAMessageWasFor) {
    EXPECT_EQ(device_token(R"({"token":"a"})"), "a");
    EXPECT_EQ(device_token(R"({"message":{"token":"b"}})"), "b");
    EXPECT_EQ(device_token(R"({"topic":"a"})"), std::nullopt);
}

}  // namespace
}  // namespace pulse::queue::fcm
