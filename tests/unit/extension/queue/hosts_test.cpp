// Shares of hosts, and what is passed by.
#include "queue/hosts.hpp"

#include <gtest/gtest.h>

namespace pulse::queue {
namespace {

const LaneName kLane{"q", 0, Class::kHttp}, kUrgent{"q", -1, Class::kHttp};
const auto any = [](const std::string &) { return true; };

// Begins as many of one host as it may; how many.
int fill(Hosts &hosts, const std::string &host, int &free) {
    int begun = 0;
    for (; hosts.has_room(host, free); --free, ++begun) hosts.started(host);
    return begun;
}

TEST(Hosts, AloneAHostHasHalfOfThePlacesAndOthersFindHalfOfTheRest) {
    Hosts hosts;
    int free = 64;
    EXPECT_EQ(fill(hosts, "a", free), 32);
    EXPECT_EQ(fill(hosts, "b", free), 16);
    EXPECT_EQ(fill(hosts, "c", free), 8);
    for (const char *host : {"d", "e", "f", "g"}) EXPECT_GT(fill(hosts, host, free), 0) << host;
    EXPECT_EQ(free, 0);
    EXPECT_FALSE(hosts.has_room("h", free));
    hosts.ended("c");
    ++free;
    EXPECT_TRUE(hosts.has_room("h", free));
    EXPECT_FALSE(hosts.has_room("a", free));
}

TEST(Hosts, OnePlaceServesOneHostAfterTheOther) {
    Hosts hosts;
    int free = 1;
    EXPECT_EQ(fill(hosts, "a", free), 1);
    hosts.ended("a");
    free = 1;
    EXPECT_EQ(fill(hosts, "b", free), 1);
}

TEST(Hosts, WhatIsPassedByIsLookedForFromTheFirstOnOnceThereIsRoom) {
    Hosts hosts;
    hosts.started("a");
    EXPECT_TRUE(hosts.pass_by("a", kLane, {10, 5}));
    EXPECT_TRUE(hosts.pass_by("a", kLane, {10, 7}));
    EXPECT_TRUE(hosts.pass_by("a", kLane, {9, 9}));  // enqueued later, due earlier
    EXPECT_TRUE(hosts.waits("a", kLane));
    EXPECT_FALSE(hosts.waits("a", kUrgent));
    EXPECT_TRUE(hosts.to_look_at(1, 10, any).empty());
    const auto looks = hosts.to_look_at(2, 10, any);
    ASSERT_EQ(looks.size(), 1U);
    EXPECT_EQ(looks[0].from, (Place{9, 9}));
    hosts.taken("a", kLane);
    hosts.go_on("a", kLane, {10, 5});
    EXPECT_EQ(hosts.to_look_at(2, 10, any)[0].from, (Place{10, 5}));
    hosts.go_on("a", kLane, kNothing);
    EXPECT_TRUE(hosts.to_look_at(2, 10, any).empty());
}

TEST(Hosts, TheUrgentAndTheOldestAreLookedAtFirstAndClosedQueuesNotAtAll) {
    Hosts hosts;
    hosts.pass_by("a", kLane, {1, 1});
    hosts.pass_by("b", kUrgent, {3, 3});
    hosts.pass_by("c", kLane, {0, 9});
    hosts.pass_by("c", {"closed", -9, Class::kHttp}, {0, 0});
    const auto looks = hosts.to_look_at(5, 2, [](const std::string &queue) { return queue != "closed"; });
    ASSERT_EQ(looks.size(), 2U);
    EXPECT_EQ(looks[0].host, "b");
    EXPECT_EQ(looks[1].host, "c");
}

TEST(Hosts, TooManyInOneLaneAreNotPassedBy) {
    Hosts hosts;
    for (int n = 0; n < Hosts::kMostPassed; ++n) ASSERT_TRUE(hosts.pass_by("a", kLane, {0, n}));
    EXPECT_FALSE(hosts.pass_by("a", kLane, {0, Hosts::kMostPassed}));
    EXPECT_TRUE(hosts.pass_by("a", kLane, {0, 3})) << "seen before";
    hosts.taken("a", kLane);
    EXPECT_TRUE(hosts.pass_by("a", kLane, {0, Hosts::kMostPassed}));
    hosts.forget_passed();
    EXPECT_FALSE(hosts.waits("a", kLane));
}

TEST(Hosts, AWebhooksHostIsSchemeNameAndPort) {
    const auto host = [](const char *args) { return host_of("webhook", "webhook", args); };
    EXPECT_EQ(host(R"({"body": {"url": "https://other/"}, "url": "https://Example.org/a?b"})"),
              host(R"({"url":"https://example.org:443/"})"));
    EXPECT_NE(host(R"({"url":"http://example.org/"})"), host(R"({"url":"https://example.org/"})"));
    EXPECT_EQ(host(R"({"url":"http:\/\/h:80\/x"})"), "http://h:80");
    for (const char *wrong : {"7", "null", "{}", R"({"url":7})", R"({"url":"\u0000"})", R"({"url":"ftp://h/"})", "[", ""})
        EXPECT_EQ(host(wrong), "") << wrong;
    EXPECT_EQ(host_of("fcm", "order_push", std::nullopt), "fcm");
    EXPECT_NE(host_of("webhook", "fcm", std::nullopt), "fcm");
}

}  // namespace
}  // namespace pulse::queue
