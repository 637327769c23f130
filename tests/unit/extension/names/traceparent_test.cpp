// M9: what the extension takes for a W3C traceparent; the bridge's rule is the same.
#include "names/traceparent.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pulse::names {
namespace {

TEST(Traceparent, M9OnlyTheFormThatTheBridgeTakesToo) {
    const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", later = "01" + good.substr(2);
    for (const std::string &text : {good, later, later + "-more", later + "-" + std::string(199, 'x')})
        EXPECT_TRUE(is_traceparent(text)) << text;
    for (const std::string &text :
         {std::string(), good.substr(1), good.substr(0, 54), good + "-more", good + " ", later + "more", later + "-a\"b",
          later + "-" + std::string(200, 'x'), "ff" + good.substr(2), "0g" + good.substr(2),
          std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"), "00-" + std::string(32, '0') + good.substr(35),
          good.substr(0, 36) + std::string(16, '0') + "-01", good.substr(0, 35) + "_" + good.substr(36)}) {
        EXPECT_FALSE(is_traceparent(text)) << text;
    }
}

}  // namespace
}  // namespace pulse::names
