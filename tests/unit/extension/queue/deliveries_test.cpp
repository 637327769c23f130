// What ends without a word to anybody: attempts that nothing is configured for, or whose arguments cannot be sent. (What is sent is the
// business of tests/e2e/channels.test.mjs: unit tests have no sockets.)
#include "queue/deliveries.hpp"

#include <gtest/gtest.h>

namespace pulse::queue {
namespace {

Http::Hooks hooks() {
    return {[] { return false; }, [] {}};
}

Delivery delivery(const std::string &channel, std::string args) {
    Delivery out;
    out.attempt.id = 1;
    out.attempt.attempt = 1;
    out.attempt.channel = channel;
    out.attempt.timeout_ms = 1000;
    out.attempt.args = std::move(args);
    out.started_at = 42;
    return out;
}

Outcome only(Deliveries &deliveries) {
    EXPECT_EQ(deliveries.due_in(), 0) << "what has ended is to be fetched";
    auto ended = deliveries.drive();
    EXPECT_EQ(ended.size(), 1U);
    EXPECT_EQ(deliveries.size(), 0U);
    if (ended.empty()) return {};
    EXPECT_EQ(ended[0].delivery.started_at, 42);
    return ended[0].outcome;
}

class DeliveriesTest : public testing::Test {
protected:
    static void SetUpTestSuite() { ASSERT_TRUE(begin_http()); }
    Deliveries deliveries{hooks(), 4};
};

TEST_F(DeliveriesTest, E4AttemptsFailWithWhatIsWrongWithTheConfiguration) {
    Channels channels;
    channels.fcm_problem = "pulse.fcm_service_account_file is not set";
    channels.sms_problem = "pulse.sms_auth_file: it has no authToken";
    channels.webhook_problem = "pulse.webhook_secret_file: it is empty";
    deliveries.configure(std::move(channels));
    for (const auto &[channel, error] : {std::pair{"fcm", "pulse.fcm_service_account_file is not set"},
                                         {"sms", "pulse.sms_auth_file: it has no authToken"},
                                         {"webhook", "pulse.webhook_secret_file: it is empty"}}) {
        deliveries.begin(delivery(channel, "{}"));
        const Outcome outcome = only(deliveries);
        EXPECT_EQ(outcome.what, Outcome::kRetry) << "somebody may mend it";
        EXPECT_EQ(outcome.error, error);
    }
}

TEST_F(DeliveriesTest, E4WhatCannotBeSentEndsAtOnce) {
    Channels channels;
    channels.sms = {{"https://sms.example", {"AC1", "t", "+14155550100", "", "", ""}}};
    deliveries.configure(std::move(channels));
    deliveries.begin(delivery("sms", R"({"to":"nobody","body":"x"})"));
    EXPECT_EQ(only(deliveries).what, Outcome::kDiscard);
    deliveries.begin(delivery("webhook", R"({"url":"http://127.0.0.1/"})"));
    EXPECT_NE(only(deliveries).error.find("pulse.webhook_allow"), std::string::npos);
    deliveries.begin(delivery("pigeon", "{}"));
    EXPECT_EQ(only(deliveries).what, Outcome::kDiscard);
}

TEST_F(DeliveriesTest, E4AnEndingWorkerReturnsWhatWasNotSent) {
    Channels channels;
    channels.sms = {{"http://127.0.0.1:9", {"AC1", "t", "+14155550100", "", "", ""}}};
    deliveries.configure(std::move(channels));
    deliveries.begin(delivery("sms", R"({"to":"+14155550123","body":"x"})"));
    EXPECT_EQ(deliveries.size(), 1U);
    deliveries.stop();
    EXPECT_EQ(only(deliveries).what, Outcome::kReturned);
}

TEST_F(DeliveriesTest, E4ACancelledOneIsForgotten) {
    Channels channels;
    channels.sms = {{"http://127.0.0.1:9", {"AC1", "t", "+14155550100", "", "", ""}}};
    deliveries.configure(std::move(channels));
    deliveries.begin(delivery("sms", R"({"to":"+14155550123","body":"x"})"));
    deliveries.cancel({1, 2});
    EXPECT_EQ(deliveries.size(), 1U) << "another attempt's";
    deliveries.cancel({1, 1});
    EXPECT_EQ(only(deliveries).what, Outcome::kCancelled);
}

}  // namespace
}  // namespace pulse::queue
