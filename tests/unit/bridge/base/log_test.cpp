// A line of the log: one JSON object, whatever stands in it.
#include "base/log.hpp"

#include <gtest/gtest.h>

namespace bridge::log {
namespace {

TEST(Log, ALineIsOneJsonObject) {
    const std::string line =
        render(Level::warn, "a \"quoted\"\nmessage", {{"text", "ä"}, {"n", 7}, {"yes", true}, {"bytes", "\xff"}, {"none", ""}}, "T");
    const std::string_view said =
        R"~({"at":"T","level":"warn","message":"a \"quoted\"\nmessage","text":"ä","n":7,"yes":true,"bytes":"(not UTF-8)","none":""})~";
    EXPECT_EQ(line, said);
}

TEST(Log, M9WhatThereIsNothingToSayOfIsLeftOut) {
    const std::string some = render(Level::info, "m", {given("traceparent", "00-a"), given("correlationId", ""), {"n", 1}}, "T");
    EXPECT_EQ(some, R"({"at":"T","level":"info","message":"m","traceparent":"00-a","n":1})");
    const std::string none = render(Level::info, "m", {given("traceparent", "")}, "T");
    EXPECT_EQ(none, R"({"at":"T","level":"info","message":"m"})");
}

}  // namespace
}  // namespace bridge::log
