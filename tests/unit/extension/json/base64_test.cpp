// Bytes as digits, and back.
#include "json/base64.hpp"

#include <gtest/gtest.h>

namespace pulse::json {
namespace {

TEST(Base64, OfEveryRemainder) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foo"), "Zm9v");
    EXPECT_EQ(base64("foob"), "Zm9vYg==");
    EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
    EXPECT_EQ(base64(std::string(3, '\0')), "AAAA");
}

TEST(Base64, AppendsToWhatIsThere) {
    std::string out = "\"";
    append_base64(out, "fo");
    EXPECT_EQ(out, "\"Zm8=");
}

TEST(Base64, OfJwtsHasOtherDigitsAndNoPadding) {
    EXPECT_EQ(base64_url("\xff\xfe\xfd"), "__79");
    EXPECT_EQ(base64_url("\xfb\xff"), "-_8");
}

TEST(Base64, IsReadWithEitherAlphabetAndWithoutPadding) {
    EXPECT_EQ(base64_decoded("Zg=="), "f");
    EXPECT_EQ(base64_decoded("Zg"), "f");
    EXPECT_EQ(base64_decoded("//79"), "\xff\xfe\xfd");
    EXPECT_EQ(base64_decoded("__79"), "\xff\xfe\xfd");
    EXPECT_EQ(base64_decoded(""), "");
    EXPECT_EQ(base64_decoded("Z"), std::nullopt) << "six bits are no byte";
    EXPECT_EQ(base64_decoded("Zg=v"), std::nullopt) << "padding stands at the end";
    EXPECT_EQ(base64_decoded("Zm 9v"), std::nullopt);
}

}  // namespace
}  // namespace pulse::json
