// What the database hears of sessions: everything, in order, also when it was away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Book {
    FakeQueries queries;
    FakeDeadlines deadlines;
    FakeRng rng;
    Bookkeeper bookkeeper{queries, deadlines, rng.id()};
    PublicId key = rng.id();
    std::string name = std::string(key.view());

    std::string sent() { return queries.bookkeeping.empty() ? "(nothing)" : queries.bookkeeping.front().first; }
    void answer(Result<bool> result) {
        auto then = std::move(queries.bookkeeping.front().second);
        queries.bookkeeping.pop_front();
        then(result ? Result<std::string>(std::string()) : Result<std::string>(result.error()));
    }
};

const Error kAway{Errc::unavailable, "away"};

TEST(Bookkeeper, TheFirstGoesAtOnceAndWhatComesMeanwhileGoesTogether) {
    Book book;
    book.bookkeeper.left(book.key, 3, "a \"b\"");
    EXPECT_EQ(book.sent(), R"([{"key":")" + book.name + R"(","generation":3,"leave":"a \"b\""}])");
    book.bookkeeper.ended(book.key, 3);
    book.bookkeeper.forgotten(book.key, 4);
    book.bookkeeper.evicted(book.key, 5, "r", Position{77});
    EXPECT_EQ(book.queries.bookkeeping.size(), 1U);
    book.answer(true);
    EXPECT_EQ(book.sent(), R"([{"key":")" + book.name + R"(","generation":3,"ended":true},{"key":")" + book.name +
                               R"(","generation":4,"ended":true,"forget":true},{"key":")" + book.name +
                               R"(","generation":5,"leave":"r","evictedAt":77}])");
    book.answer(true);
    EXPECT_EQ(book.sent(), "(nothing)");
}

TEST(Bookkeeper, IsSentAgainInTheSameOrderWhenTheDatabaseWasAway) {
    Book book;
    const auto first = book.bookkeeper.ended(book.key, 1);
    const std::string text = book.sent();
    book.answer(kAway);
    EXPECT_FALSE(book.bookkeeper.stored(first));
    EXPECT_EQ(book.sent(), "(nothing)") << "not in a circle";
    book.deadlines.advance(Bookkeeper::kRetry + 10);
    EXPECT_EQ(book.sent(), text);
    book.answer(true);
    EXPECT_TRUE(book.bookkeeper.stored(first));
}

TEST(Bookkeeper, SaysEveryFewSecondsThatTheBridgeIsAlive) {
    Book book;
    book.bookkeeper.start();
    EXPECT_EQ(book.sent(), "[]");
    book.answer(true);
    book.deadlines.advance(Bookkeeper::kHeartbeat - 20);
    EXPECT_EQ(book.sent(), "(nothing)");
    book.deadlines.advance(40);
    EXPECT_EQ(book.sent(), "[]");
    book.answer(kAway);
    book.deadlines.advance(Bookkeeper::kHeartbeat);
    EXPECT_EQ(book.sent(), "[]");
}

TEST(Bookkeeper, AWaiterIsCalledWhenItsChangeIsStoredAndNotBefore) {
    Book book;
    std::vector<std::string> calls;
    book.bookkeeper.ended(book.key, 1);
    const auto second = book.bookkeeper.left(book.key, 2, "r");
    book.bookkeeper.when_stored(second, [&](bool stored) { calls.push_back(stored ? "stored" : "not stored"); });
    book.answer(true);
    EXPECT_THAT(calls, ElementsAre());
    book.answer(true);
    EXPECT_THAT(calls, ElementsAre("stored"));
    const auto third = book.bookkeeper.left(book.key, 2, "s");
    book.bookkeeper.when_stored(third, [&](bool stored) { calls.push_back(stored ? "stored" : "not stored"); });
    book.answer(kAway);
    EXPECT_THAT(calls, ElementsAre("stored", "not stored"));
}

TEST(Bookkeeper, ManyChangesAreFewStatements) {
    Book book;
    for (int n = 0; n < 3500; ++n) book.bookkeeper.ended(book.key, 1);
    int statements = 0;
    for (; !book.queries.bookkeeping.empty(); ++statements) book.answer(true);
    EXPECT_EQ(statements, 5);  // one, and then a thousand at a time
    EXPECT_TRUE(book.bookkeeper.stored(book.bookkeeper.last()));
}

TEST(Bookkeeper, WhatIsRefusedDoesNotStopTheOthers) {
    Book book;
    book.bookkeeper.ended(book.key, 1);
    book.bookkeeper.ended(book.key, 2);
    book.answer(Error{Errc::internal, "internal error"});
    EXPECT_THAT(book.sent(), HasSubstr(R"("generation":2)"));
}

TEST(Bookkeeper, MemoryIsBounded) {
    Book book;
    for (std::size_t n = 0; n < Bookkeeper::kMaxWaiting + 1000; ++n) book.bookkeeper.ended(book.key, n);
    EXPECT_EQ(book.bookkeeper.last(), Bookkeeper::kMaxWaiting);
}

}  // namespace
}  // namespace bridge::handlers::test
