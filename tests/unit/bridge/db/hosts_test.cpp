// Names are looked up by the loop, addresses by nobody; libpq gets parallel lists.
#include "db/hosts.hpp"

#include <cstdlib>
#include <optional>

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

TEST(Hosts, WhatIsLookedUpFollowsTheConnectionStringAndItsEnvironment) {
    for (const char *nothing : {"host=/run/postgresql", "host=10.0.0.1,::1", "host=db hostaddr=10.0.0.1", "dbname=x", "postgresql:///x",
                                "host=a,b,c port=1,2", "not a connection string"})
        EXPECT_TRUE(hosts_to_look_up(nothing).empty()) << nothing;
    const auto two = hosts_to_look_up("postgresql://u@db1,10.0.0.2:6000/x");
    ASSERT_EQ(two.size(), 2U);
    EXPECT_EQ(two[0].host, "db1");
    EXPECT_EQ(two[1].port, "6000");
    setenv("PGHOST", "db3", 1);
    setenv("PGPORT", "7000", 1);
    const auto three = hosts_to_look_up("dbname=x");
    unsetenv("PGHOST");
    unsetenv("PGPORT");
    ASSERT_EQ(three.size(), 1U);
    EXPECT_EQ(three[0].host, "db3");
    EXPECT_EQ(three[0].port, "7000");
}

TEST(Lookup, LeavesOutNamesThatAreNotFoundAndFailsWhenNoneIs) {
    loop::Loop loop;
    const std::string bad(5000, 'x');  // no name server is asked
    std::optional<Result<HostLists>> one, none;
    const auto end = [&] {
        if (one && none) loop.stop();
    };
    const Lookup first(loop, {{bad, "1"}, {"/run", "2"}, {"::1", "3"}, {"localhost", "4"}}, [&](Result<HostLists> found) {
        one = std::move(found);
        end();
    });
    const Lookup second(loop, {{bad, "1"}}, [&](Result<HostLists> found) {
        none = std::move(found);
        end();
    });
    EXPECT_FALSE(one || none);
    loop.run();
    ASSERT_TRUE(*one);
    EXPECT_TRUE((*one)->host.starts_with("/run,::1,localhost")) << (*one)->host;
    EXPECT_TRUE((*one)->hostaddr.starts_with(",,")) << (*one)->hostaddr;
    EXPECT_TRUE((*one)->port.starts_with("2,3,4")) << (*one)->port;
    ASSERT_FALSE(*none);
    EXPECT_TRUE(none->error().detail.starts_with("could not look up host \"xxx"));
}

}  // namespace
}  // namespace bridge::db
