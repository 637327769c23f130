#include "net/admission.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bridge::net {
namespace {

TEST(Admission, M10LetsInSoManyInAll) {
    Admission door({.max_connections = 2});
    EXPECT_FALSE(door.enter("192.0.2.1", 0));
    EXPECT_FALSE(door.enter("192.0.2.2", 0));
    EXPECT_EQ(door.enter("192.0.2.3", 0), Refusal::full);
    EXPECT_EQ(door.open(), 2u);
    door.leave("192.0.2.1");
    EXPECT_FALSE(door.enter("192.0.2.3", 0));
}

TEST(Admission, M10LetsInSoManyOfOneAddress) {
    Admission door({.max_per_ip = 2});
    EXPECT_FALSE(door.enter("192.0.2.1", 0));
    EXPECT_FALSE(door.enter("::ffff:192.0.2.1", 0));
    EXPECT_EQ(door.enter("192.0.2.1", 0), Refusal::too_many_of_ip);
    EXPECT_FALSE(door.enter("192.0.2.2", 0));
    door.leave("192.0.2.1");
    EXPECT_FALSE(door.enter("192.0.2.1", 0));
    EXPECT_EQ(door.enter("192.0.2.1", 0), Refusal::too_many_of_ip);
    EXPECT_EQ(door.open(), 3u);
}

TEST(Admission, M10AnIpv6ClientIsItsNetwork) {
    Admission door({.max_per_ip = 1});
    EXPECT_FALSE(door.enter("2001:db8::1", 0));
    EXPECT_EQ(door.enter("2001:db8::2", 0), Refusal::too_many_of_ip);
    EXPECT_FALSE(door.enter("2001:db8:0:1::1", 0));
}

TEST(Admission, M10AProxyIsManyClients) {
    Admission door({.max_per_ip = 1, .trusted_proxies = {*Network::parse("10.0.0.0/8")}});
    EXPECT_FALSE(door.enter("10.0.0.1", 0));
    EXPECT_FALSE(door.enter("10.0.0.1", 0));
    door.leave("10.0.0.1");
    EXPECT_FALSE(door.enter("192.0.2.1", 0));
    EXPECT_EQ(door.enter("192.0.2.1", 0), Refusal::too_many_of_ip);
}

TEST(Admission, M10LetsInSoManyASecond) {
    Admission door({.rate = 3});
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(door.enter("192.0.2.1", 10'000));
    EXPECT_EQ(door.enter("192.0.2.1", 10'000), Refusal::too_fast);
    EXPECT_EQ(door.enter("192.0.2.1", 10'300), Refusal::too_fast);
    EXPECT_FALSE(door.enter("192.0.2.1", 10'400));
    EXPECT_EQ(door.open(), 4u);
}

TEST(Admission, M10WhoIsRefusedForHisAddressTakesNothingOfTheRate) {
    Admission door({.max_per_ip = 1, .rate = 2});
    EXPECT_FALSE(door.enter("192.0.2.1", 0));
    for (int i = 0; i < 10; ++i) EXPECT_EQ(door.enter("192.0.2.1", 0), Refusal::too_many_of_ip);
    EXPECT_FALSE(door.enter("192.0.2.2", 0));
}

TEST(Admission, M10ARefusalSaysWhyAndWhenToComeBack) {
    for (const Refusal refusal : {Refusal::full, Refusal::too_many_of_ip, Refusal::too_fast}) {
        const Error why = error(refusal);
        EXPECT_EQ(info(why.code).http_status, refusal == Refusal::full ? 503 : 429);
        EXPECT_GT(why.retry_after, 0);
        EXPECT_FALSE(why.detail.empty());
        EXPECT_FALSE(reason(refusal).empty());
    }
}

TEST(ClientAddress, M10IsThePeersUnlessAProxySaysOtherwise) {
    const std::vector<Network> proxies{*Network::parse("10.0.0.0/8"), *Network::parse("fd00::/8")};
    const struct {
        const char *peer, *header, *is;
    } cases[] = {
        {"192.0.2.1", "", "192.0.2.1"},
        {"192.0.2.1", "203.0.113.9", "192.0.2.1"},  // anybody can write a header
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", "203.0.113.9", "203.0.113.9"},
        {"10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"},            // the client wrote the first one itself
        {"10.0.0.1", "1.1.1.1, 203.0.113.9 ,10.2.3.4", "203.0.113.9"},  // two proxies
        {"fd00::1", "2001:db8::5", "2001:db8::5"},
        {"10.0.0.1", "203.0.113.9:4711", "203.0.113.9"},
        {"10.0.0.1", "[2001:db8::5]:4711", "2001:db8::5"},
        {"10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"},
        {"10.0.0.1", "unknown", "10.0.0.1"},
        {"10.0.0.1", "203.0.113.9, unknown, 10.0.0.2", "10.0.0.2"},
        {"10.0.0.1", ",,,", "10.0.0.1"},
        {"10.0.0.1", "[2001:db8::5", "10.0.0.1"},
        {"::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"},
    };
    for (const auto &one : cases) EXPECT_EQ(client_address(one.peer, one.header, proxies), one.is) << one.peer << " " << one.header;
    EXPECT_EQ(client_address("10.0.0.1", "203.0.113.9", {}), "10.0.0.1");
}

}  // namespace
}  // namespace bridge::net
