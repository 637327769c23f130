// The first vectors of the reference implementation, key 00 01 … 0f, input 00 01 ….
#include "limits/siphash.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pulse::limits {
namespace {

constexpr HashKey kKey{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

std::string hex(const Hash &hash) {
    std::string out;
    for (const std::uint64_t word : {hash.low, hash.high})
        for (int n = 0; n < 8; ++n) {
            constexpr char kDigits[] = "0123456789abcdef";
            const auto byte = static_cast<unsigned char>(word >> (8 * n));
            out += kDigits[byte >> 4];
            out += kDigits[byte & 15];
        }
    return out;
}

std::string counting(int count) {
    std::string out;
    for (int n = 0; n < count; ++n) out += static_cast<char>(n);
    return out;
}

TEST(SipHash, GivesTheReferencesResults) {
    EXPECT_EQ(hex(siphash(kKey, "")), "a3817f04ba25a8e66df67214c7550293");
    EXPECT_EQ(hex(siphash(kKey, counting(1))), "da87c1d86b99af44347659119b22fc45");
    EXPECT_EQ(hex(siphash(kKey, counting(8))), "3b62a9ba6258f5610f83e264f31497b4");
}

TEST(SipHash, DependsOnTheKeyAndOnEachByte) {
    const std::string text = "general\0ann";
    EXPECT_NE(siphash({1, 2}, text), siphash({1, 3}, text));
    EXPECT_NE(siphash({1, 2}, text), siphash({2, 2}, text));
    EXPECT_NE(siphash(kKey, std::string("a\0", 2)), siphash(kKey, "a"));
}

}  // namespace
}  // namespace pulse::limits
