// M9: what counts as a W3C traceparent, and the id of its trace.
#include "base/traceparent.hpp"

#include <gtest/gtest.h>

#include <string>

namespace bridge {
namespace {

const std::string kGood = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::string with(std::size_t at, char c) {
    std::string text = kGood;
    text[at] = c;
    return text;
}

TEST(Traceparent, M9TheFormOfVersion00) {
    EXPECT_TRUE(is_traceparent(kGood));
    EXPECT_TRUE(is_traceparent("00-" + std::string(31, '0') + "1-" + std::string(15, '0') + "1-00"));
    for (std::size_t size = 0; size < kGood.size(); ++size) EXPECT_FALSE(is_traceparent(kGood.substr(0, size))) << size;
    for (std::size_t at = 0; at < kGood.size(); ++at) {
        for (const char c : {'g', 'A', ' ', '\0', '"'}) EXPECT_FALSE(is_traceparent(with(at, c))) << at << " " << c;
    }
    for (const std::size_t dash : {2, 35, 52}) EXPECT_FALSE(is_traceparent(with(dash, '0'))) << dash;
    EXPECT_FALSE(is_traceparent("00-" + std::string(32, '0') + "-00f067aa0ba902b7-01")) << "no trace";
    EXPECT_FALSE(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-" + std::string(16, '0') + "-01")) << "no parent";
    EXPECT_FALSE(is_traceparent(kGood + "-more")) << "version 00 ends there";
    EXPECT_FALSE(is_traceparent(kGood + "\n"));
}

TEST(Traceparent, M9LaterVersionsMayHaveMoreBehindIt) {
    std::string later = kGood;
    later[1] = '1';
    EXPECT_TRUE(is_traceparent(later));
    EXPECT_TRUE(is_traceparent(later + "-what.comes_next"));
    EXPECT_FALSE(is_traceparent(later + "what"));
    for (const char *bad : {"-a b", "-a\"", "-a\n", "-ä"}) EXPECT_FALSE(is_traceparent(later + bad)) << bad;
    EXPECT_TRUE(is_traceparent(later + "-" + std::string(199, 'x')));
    EXPECT_FALSE(is_traceparent(later + "-" + std::string(200, 'x'))) << "255 bytes are the most";
    EXPECT_FALSE(is_traceparent("ff" + kGood.substr(2))) << "no version";
}

TEST(Traceparent, M9TheTracesId) {
    EXPECT_EQ(trace_id(kGood), "4bf92f3577b34da6a3ce929d0e0e4736");
    EXPECT_EQ(trace_id(with(0, 'x')), "");
    EXPECT_EQ(trace_id(""), "");
}

}  // namespace
}  // namespace bridge
