// How many jobs fill a transaction, learned from what they took.
#include "queue/typical.hpp"

#include <gtest/gtest.h>

namespace pulse::queue {
namespace {

TEST(Typical, WhatHasNeverRunBeginsAlone) {
    Typical typical;
    EXPECT_EQ(typical.of("f"), Typical::kUnknown);
    EXPECT_EQ(typical.batch(100, 10000), 1);
    EXPECT_EQ(typical.lately(), 0);
}

TEST(Typical, FastFunctionsFillATransaction) {
    Typical typical;
    for (int n = 0; n < 10; ++n) typical.took("f", 50);
    EXPECT_EQ(typical.of("f"), 50);
    EXPECT_EQ(typical.batch(100, 10000), 100);
    EXPECT_EQ(typical.batch(1000, 10000), 200);
    EXPECT_EQ(typical.of("g"), Typical::kUnknown) << "another function is not known by it";
}

TEST(Typical, ASlowRunCountsAtOnceAndIsForgottenSlowly) {
    Typical typical;
    typical.took("f", 10);
    typical.took("f", 100000);
    EXPECT_GT(typical.of("f"), 40000);
    EXPECT_EQ(typical.batch(100, 10000), 1);
    for (int n = 0; n < 100; ++n) typical.took("f", 10);
    EXPECT_LT(typical.of("f"), 20);
}

TEST(Typical, ManyFunctionsDoNotGrowItForEver) {
    Typical typical;
    for (int n = 0; n < 5000; ++n) typical.took("f" + std::to_string(n), 10);
    EXPECT_EQ(typical.of("f4999"), 10);
    EXPECT_EQ(typical.of("f0"), Typical::kUnknown);
}

}  // namespace
}  // namespace pulse::queue
