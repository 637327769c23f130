// The text of a notification: what is read, what is refused.
#include "hub/notification.hpp"

#include <gtest/gtest.h>

#include "notification_text.hpp"

namespace bridge::hub {
namespace {

using test::header;
using test::kEpoch;
using test::line;

TEST(Notification, ReadsHeaderAndLines) {
    const std::string text = header(5, 9) + "\n" + line(5, R"(["a","b"])", R"({"x":"\t"})") + "\n" + "8\t12\t[\"c\"]\t\"n\"\t{\"h\":1}\t" +
                             "\n" + "9\t13\t\t\t\t";
    auto n = Notification::parse(text);
    ASSERT_TRUE(n);
    EXPECT_EQ(n->header().epoch, kEpoch);
    EXPECT_EQ(n->header().first.value, 5U);
    EXPECT_EQ(n->header().last.value, 9U);
    EXPECT_EQ(n->header().sequence, 7U);
    EXPECT_FALSE(n->wake_up());
    auto first = n->next();
    ASSERT_TRUE(first && *first);
    EXPECT_EQ((*first)->event.id, 1005U);
    EXPECT_EQ((*first)->event.rooms, R"(["a","b"])");
    EXPECT_EQ((*first)->event.payload, R"({"x":"\t"})");
    EXPECT_FALSE((*first)->by_reference);
    auto second = n->next();
    ASSERT_TRUE(second && *second);
    EXPECT_TRUE((*second)->by_reference);
    EXPECT_FALSE((*second)->unknown_rooms);
    EXPECT_EQ((*second)->event.headers, R"({"h":1})");
    auto third = n->next();
    ASSERT_TRUE(third && *third);
    EXPECT_TRUE((*third)->unknown_rooms);
    auto end = n->next();
    ASSERT_TRUE(end);
    EXPECT_FALSE(*end);
}

TEST(Notification, OnlyAHeaderIsAWakeUp) {
    const auto n = Notification::parse(header(1, 100));
    ASSERT_TRUE(n);
    EXPECT_TRUE(n->wake_up());
}

TEST(Notification, RefusesMalformedHeaders) {
    for (const std::string &text :
         {std::string(), std::string("x"), std::string("00000000000000e1 1 2"), std::string("00000000000000e1 2 1 0"),
          std::string("00000000000000e1 0 1 0"), std::string("00000000000000E1 1 1 0"), std::string("0000000000000e1 1 1 0"),
          std::string("00000000000000e1 1 1 0 "), std::string("00000000000000e1  1 1 0"), std::string("00000000000000e1 -1 1 0"),
          std::string("00000000000000e1 1 99999999999999999999 0"), header(1, 1) + "\n"}) {
        EXPECT_FALSE(Notification::parse(text)) << text;
    }
}

TEST(Notification, RefusesMalformedLines) {
    for (const std::string &bad : {std::string("1"), line(2), line(0), std::string("1\t1\t[\"a\"]\t\"e\"\t{}"), line(1) + "\tx",
                                   std::string("x\t1\t[\"a\"]\t\"e\"\t{}\t1"), std::string("1\t1\t\t\"e\"\t{}\t"),
                                   std::string("1\t1\t\t\t\t1"), std::string("1\t1\ta\t\"e\"\t{}\t1"), std::string("1\t1\t[]\te\t{}\t1"),
                                   std::string("1\t1\t[]\t\"e\"\t\t1"), line(1) + "\n" + line(1), line(1) + "\n"}) {
        const std::string text = header(1, 1) + "\n" + bad;
        auto n = Notification::parse(text);
        ASSERT_TRUE(n);
        auto found = n->next();
        while (found && *found) found = n->next();
        EXPECT_FALSE(found) << bad;
    }
}

}  // namespace
}  // namespace bridge::hub
