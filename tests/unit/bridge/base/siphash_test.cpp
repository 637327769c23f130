// The vectors of the paper, and a key of the process's own.
#include "base/siphash.hpp"

#include <string>

#include <gtest/gtest.h>

namespace bridge {
namespace {

std::uint64_t paper(std::size_t size) {
    std::string text;
    for (std::size_t n = 0; n < size; ++n) text += static_cast<char>(n);
    return siphash<2, 4>(text, {0x0706050403020100, 0x0f0e0d0c0b0a0908});
}

TEST(SipHash, GivesTheVectorsOfThePaper) {
    EXPECT_EQ(paper(0), 0x726fdb47dd0e0e31U);
    EXPECT_EQ(paper(1), 0x74f839c593dc67fdU);
    EXPECT_EQ(paper(8), 0x93f5f5799a932462U);
    EXPECT_EQ(paper(15), 0xa129ca6149be45e5U);
}

TEST(SipHash, TheKeyOfTheProcessIsRandomAndStays) {
    EXPECT_EQ(process_sip_key(), process_sip_key());
    EXPECT_NE(process_sip_key(), SipKey{});
    EXPECT_NE(siphash("open:a", process_sip_key()), siphash("open:a", SipKey{}));
}

}  // namespace
}  // namespace bridge
