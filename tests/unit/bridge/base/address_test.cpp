#include "base/address.hpp"

#include <gtest/gtest.h>

namespace bridge {
namespace {

TEST(Addresses, AreReadAndWritten) {
    const std::pair<const char *, const char *> good[] = {
        {"192.0.2.1", "192.0.2.1"}, {"::ffff:192.0.2.1", "192.0.2.1"}, {"2001:DB8:0::1", "2001:db8::1"}, {"::1", "::1"}};
    for (const auto &[text, written] : good) EXPECT_EQ(Address::parse(text)->text(), written);
    for (const char *bad : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "localhost", "::g", "1.2.3.4 ", "[::1]",
                            "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"}) {
        EXPECT_FALSE(Address::parse(bad)) << bad;
    }
}

TEST(Addresses, AClientIsAnIpv4AddressOrA64) {
    EXPECT_EQ(Address::parse("192.0.2.1")->client(), *Address::parse("192.0.2.1"));
    EXPECT_NE(Address::parse("192.0.2.1")->client(), Address::parse("192.0.2.2")->client());
    EXPECT_EQ(Address::parse("2001:db8::1")->client(), Address::parse("2001:db8::ffff:1")->client());
    EXPECT_NE(Address::parse("2001:db8::1")->client(), Address::parse("2001:db8:0:1::1")->client());
}

TEST(Networks, HoldTheirAddresses) {
    const auto in = [](const char *network, const char *address) { return Network::parse(network)->contains(*Address::parse(address)); };
    EXPECT_TRUE(in("10.0.0.0/8", "10.255.0.1"));
    EXPECT_TRUE(in("10.0.0.0/8", "::ffff:10.1.1.1"));
    EXPECT_FALSE(in("10.0.0.0/8", "11.0.0.1"));
    EXPECT_FALSE(in("10.0.0.0/8", "::a00:1"));
    EXPECT_TRUE(in("192.0.2.128/25", "192.0.2.129"));
    EXPECT_FALSE(in("192.0.2.128/25", "192.0.2.127"));
    EXPECT_TRUE(in("192.0.2.7", "192.0.2.7"));
    EXPECT_FALSE(in("192.0.2.7", "192.0.2.6"));
    EXPECT_TRUE(in("0.0.0.0/0", "203.0.113.9"));
    EXPECT_FALSE(in("0.0.0.0/0", "2001:db8::1"));
    EXPECT_TRUE(in("::/0", "203.0.113.9"));
    EXPECT_TRUE(in("fd00::/8", "fdff::1"));
    for (const char *bad : {"", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8x", "10.0.0.1/8", "fd00::1/8", "::/129", "x/8"}) {
        EXPECT_FALSE(Network::parse(bad)) << bad;
    }
}

}  // namespace
}  // namespace bridge
