// Names are looked up by the loop, addresses by nobody; libpq gets parallel lists.
#include "db/hosts.hpp"

#include <gtest/gtest.h>

namespace bridge::db {
namespace {

TEST(Hosts, OnlyNamesAreLookedUp) {
    for (const char *name : {"localhost", "db.example.org", "10.0.0", "1.2.3.4.5", "db-1"}) EXPECT_TRUE(is_name(name)) << name;
    for (const char *other : {"", "127.0.0.1", "::1", "fe80::1%eth0", "/run/postgresql", "@abstract"})
        EXPECT_FALSE(is_name(other)) << other;
}

TEST(Hosts, OnePortServesAllOrEachHasItsOwn) {
    const auto one = split_hosts("a,b", "5432");
    ASSERT_EQ(one.size(), 2U);
    EXPECT_EQ(one[1].host, "b");
    EXPECT_EQ(one[1].port, "5432");
    EXPECT_EQ(split_hosts("a,b", "1,2")[1].port, "2");
    EXPECT_EQ(split_hosts("a", "").at(0).port, "");
    EXPECT_TRUE(split_hosts("a,b,c", "1,2").empty());
}

TEST(Hosts, EachHostComesOnceForEachOfItsAddresses) {
    const HostLists lists = join_hosts({{{"localhost", "5432"}, {"::1", "127.0.0.1"}}, {{"/run", "5433"}, {}}, {{"db", ""}, {"10.0.0.1"}}});
    EXPECT_EQ(lists.host, "localhost,localhost,/run,db");
    EXPECT_EQ(lists.hostaddr, "::1,127.0.0.1,,10.0.0.1");
    EXPECT_EQ(lists.port, "5432,5432,5433,");
}

}  // namespace
}  // namespace bridge::db
