// The forms of values in JSON.
#include "rows/forms.hpp"

#include <gtest/gtest.h>

namespace pulse::rows {
namespace {

template <class Write>
std::string written(Write &&write) {
    std::string out;
    write(out);
    return out;
}

TEST(CamelCase, OfColumns) {
    EXPECT_EQ(camel_case("blood_group"), "bloodGroup");
    EXPECT_EQ(camel_case("id"), "id");
    EXPECT_EQ(camel_case("a__b"), "aB");
    EXPECT_EQ(camel_case("_private_key_"), "_privateKey_");
    EXPECT_EQ(camel_case("line_2_text"), "line2Text");
    EXPECT_EQ(camel_case("Already_Camel"), "AlreadyCamel");
    EXPECT_EQ(camel_case("___"), "___");
    EXPECT_EQ(camel_case(""), "");
    EXPECT_EQ(camel_case("straße_öl"), "straßeöl");
}

TEST(Date, UsesExpandedYearsOutsideFourDigits) {
    const auto date = [](int64_t year, int month, int day) {
        return written([&](std::string &out) { append_date(out, year, month, day); });
    };
    EXPECT_EQ(date(2024, 2, 9), "2024-02-09");
    EXPECT_EQ(date(7, 1, 1), "0007-01-01");
    EXPECT_EQ(date(0, 1, 1), "0000-01-01");
    EXPECT_EQ(date(-1, 12, 31), "-000001-12-31");
    EXPECT_EQ(date(10000, 1, 1), "+010000-01-01");
    EXPECT_EQ(date(5874897, 12, 31), "+5874897-12-31");
}

TEST(Time, IsCutToMilliseconds) {
    const auto time = [](int64_t microseconds) { return written([&](std::string &out) { append_time(out, microseconds); }); };
    EXPECT_EQ(time(0), "00:00:00.000");
    EXPECT_EQ(time(86'399'999'999), "23:59:59.999");
    EXPECT_EQ(time(3'723'004'999), "01:02:03.004");
}

}  // namespace
}  // namespace pulse::rows
