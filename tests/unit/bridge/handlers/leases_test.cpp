// E3: what a bridge remembers of presence, and what it reports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bridge::handlers::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Book {
    FakeQueries queries;
    FakeDeadlines deadlines;
    FakeRng rng;
    Bookkeeper bookkeeper{queries, deadlines, rng.id()};
    Leases leases{bookkeeper, deadlines};
    PublicId key = rng.id(), other = rng.id();

    Leases::Owner owner() { return {key, 2, "ann"}; }
    static std::string lease(const std::string &room, const std::string &state, const std::string &ttl = "null") {
        return R"({"room":")" + room + R"(","state":)" + state + R"(,"ttl":)" + ttl + R"(,"announce":true})";
    }
    // The database takes what there is and answers this; what it was told.
    std::string answer(Result<std::string> result = std::string()) {
        if (queries.bookkeeping.empty()) return "(nothing)";
        auto [changes, then] = std::move(queries.bookkeeping.front());
        queries.bookkeeping.pop_front();
        then(std::move(result));
        return changes;
    }
    std::string all() {
        std::string out;
        while (!queries.bookkeeping.empty()) out += answer();
        return out;
    }
    void beat() { deadlines.advance(Bookkeeper::kHeartbeat + 20); }
};

TEST(Leases, AreWrittenWhenTheDatabaseWantsThemAndEndWithItsToken) {
    Book book;
    book.leases.tracked(book.owner(), Book::lease("r", R"({"n":1})", "60000"));
    book.leases.tracked(book.owner(), Book::lease("r", R"({"n":2})", "60000"));
    book.leases.tracked({book.other, 1, "b\"ob"}, Book::lease("q", "null"));
    book.bookkeeper.start();
    EXPECT_EQ(book.answer(std::string("token-1")), "[]");
    const std::string told = book.all();
    EXPECT_THAT(told, HasSubstr(R"("generation":2,"lease":{"room":"r","userId":"ann","state":{"n":2},"ttl":60000,"announce":true,"age":)"));
    EXPECT_THAT(told, HasSubstr(R"("lease":{"room":"q","userId":"b\"ob","state":null,"ttl":null,)"));
    EXPECT_THAT(told, HasSubstr(R"({"leasesComplete":"token-1"}])"));
    EXPECT_THAT(told, Not(HasSubstr(R"({"n":1})")));
}

TEST(Leases, AreNotWrittenTwiceAtOnceButAgainAfterAnotherCrash) {
    Book book;
    book.leases.tracked(book.owner(), Book::lease("r", "1"));
    book.bookkeeper.start();
    book.answer(std::string("first"));
    EXPECT_THAT(book.answer(std::string("second")), HasSubstr("\"lease\""));  // that was before `first` came back
    EXPECT_THAT(book.all(), AllOf(HasSubstr(R"("first")"), Not(HasSubstr("second"))));
    book.beat();
    book.answer(std::string("second"));
    EXPECT_THAT(book.all(), AllOf(HasSubstr("\"lease\""), HasSubstr(R"("second")")));
}

TEST(Leases, OfWhoLeftOrEndedAreForgotten) {
    Book book;
    for (const char *room : {"a", "b", "c"}) book.leases.tracked(book.owner(), Book::lease(room, "1"));
    book.leases.tracked({book.other, 1, "bob"}, Book::lease("a", "1"));
    book.leases.untracked(book.key, "a");
    book.leases.left(book.key, "b");
    book.leases.ended(book.other);
    book.leases.ended(book.other);
    EXPECT_EQ(book.leases.sessions(), 1U);
    EXPECT_EQ(book.all(), "") << "the database knows already";
    book.leases.left(book.key, "c");
    EXPECT_EQ(book.leases.sessions(), 0U);
}

TEST(Leases, WhatTheDatabaseCouldNotStoreIsWrittenOnlyOfThoseRooms) {
    Book book;
    for (const char *room : {"a", "b\\\"", "c"}) book.leases.tracked(book.owner(), Book::lease(room, "1"));
    book.bookkeeper.start();
    book.all();
    const std::uint64_t last = book.leases.write_unstored(book.key, R"(["b\"","c","unknown",7])");
    EXPECT_FALSE(book.bookkeeper.stored(last));
    const std::string told = book.all();
    EXPECT_THAT(told, AllOf(HasSubstr(R"("room":"b\"","userId":"ann")"), HasSubstr(R"("room":"c")"), HasSubstr(R"("fresh":true})"),
                            Not(HasSubstr(R"("room":"a")"))));
    EXPECT_TRUE(book.bookkeeper.stored(last));
    EXPECT_EQ(book.leases.write_unstored(book.key, "[]"), 0U);
    EXPECT_EQ(book.leases.write_unstored(book.key, "no list"), 0U);
    EXPECT_EQ(book.leases.write_unstored(book.other, R"(["a"])"), 0U) << "it has ended: nobody brings it back";
}

TEST(Leases, OneThatEndsWhileAllAreWrittenEndsInTheDatabaseToo) {
    Book book;
    book.leases.tracked(book.owner(), Book::lease("r", "1"));
    book.bookkeeper.start();
    book.answer(std::string("token"));
    book.leases.untracked(book.key, "r");
    EXPECT_THAT(book.all(),
                HasSubstr(R"("leasesComplete":"token"},{"key":")" + std::string(book.key.view()) + R"(","generation":2,"untrack":"r"})"));
}

TEST(Leases, OfASessionThatCameBackAreThoseThatTheDatabaseHas) {
    Book book;
    book.leases.resumed(book.owner(), "[" + Book::lease("r", "1") + "," + Book::lease("q", "2") + "]");
    book.bookkeeper.start();
    book.answer(std::string("token"));
    EXPECT_THAT(book.all(), AllOf(HasSubstr(R"("room":"r")"), HasSubstr(R"("room":"q")")));
}

TEST(Leases, WithoutATimeToLiveNoActivityIsReported) {
    Book book;
    book.leases.tracked(book.owner(), Book::lease("r", "1"));
    for (int n = 0; n < 5; ++n) {
        book.leases.heard(book.key);
        book.leases.heard(book.other);
        book.deadlines.advance(60'000);
    }
    EXPECT_THAT(book.all(), Not(HasSubstr("idle")));
}

TEST(Leases, ActivityIsReportedSeldomAndNeverTooLate) {
    Book book;
    book.bookkeeper.start();
    book.all();
    constexpr std::int64_t kTtl = 60'000;
    book.leases.tracked(book.owner(), Book::lease("r", "1", "null"));
    book.leases.tracked(book.owner(), Book::lease("q", "1", std::to_string(kTtl)));
    std::int64_t expires = book.deadlines.now() + kTtl, heard = 0;
    int reports = 0;
    for (int n = 0; n < 600; ++n) {  // ten minutes of a word every second
        book.deadlines.advance(1'000);
        book.leases.heard(book.key);
        heard = book.deadlines.now();
        const std::string told = book.all();
        if (const auto at = told.find("\"idle\":"); at != std::string::npos) {
            ++reports;
            expires = std::max<std::int64_t>(expires, book.deadlines.now() - std::stoll(told.substr(at + 7)) + kTtl);
        }
        ASSERT_GT(expires, book.deadlines.now());
    }
    EXPECT_LT(reports, 100);
    while (book.deadlines.now() < heard + kTtl / 2) {  // then silence: its last word counts, to the second
        book.beat();
        const std::string told = book.all();
        if (const auto at = told.find("\"idle\":"); at != std::string::npos)
            expires = std::max<std::int64_t>(expires, book.deadlines.now() - std::stoll(told.substr(at + 7)) + kTtl);
    }
    EXPECT_NEAR(static_cast<double>(expires), static_cast<double>(heard + kTtl), 1'000);
}

TEST(Leases, AShortTimeToLiveIsRenewedAtOnce) {
    Book book;
    book.bookkeeper.start();
    book.all();
    book.leases.tracked(book.owner(), Book::lease("r", "1", "1000"));
    book.deadlines.advance(100);
    book.leases.heard(book.key);
    EXPECT_EQ(book.all(), "");
    book.deadlines.advance(200);
    book.leases.heard(book.key);
    EXPECT_THAT(book.all(), HasSubstr(R"("generation":2,"idle":0)"));
}

}  // namespace
}  // namespace bridge::handlers::test
