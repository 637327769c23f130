// Connections and the pool while PostgreSQL is not there: everything is answered, once, later, and within its patience.
#include "db/query_pool.hpp"

#include <gtest/gtest.h>

#include "db/backoff.hpp"
#include "db/database.hpp"

namespace bridge::db {
namespace {

using namespace std::chrono_literals;

constexpr const char *kNobody = "host=127.0.0.1 port=1 user=nobody dbname=nothing connect_timeout=2";

struct World {
    loop::Loop loop;
    FakeRng rng;
    Metrics metrics{"test", "test"};
    std::unique_ptr<loop::Timer> limit = loop.timer();
    World() {
        limit->once(5s, [this] {
            ADD_FAILURE() << "no answer";
            loop.stop();
        });
    }
};

TEST(Backoff, FirstTryIsAtOnceThenItDoublesUpToABoundWithJitter) {
    FakeRng rng;
    Backoff backoff(rng, {100ms, 1000ms});
    EXPECT_EQ(backoff.next(), 0ms);
    for (const auto full : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms, 1000ms}) {
        const auto wait = backoff.next();
        EXPECT_GE(wait, full / 2);
        EXPECT_LE(wait, full);
    }
    for (int i = 0; i < 100; ++i) EXPECT_LE(backoff.next(), 1000ms);
    backoff.reset();
    EXPECT_EQ(backoff.next(), 0ms);
}

TEST(Connection, KeepsTryingAndTellsEachFailure) {
    World world;
    int failures = 0;
    ConnectionOptions options;
    options.conninfo = kNobody;
    Connection connection(world.loop, world.rng, std::move(options),
                          {.on_up = [] { FAIL(); },
                           .on_down =
                               [&](const std::string &why) {
                                   EXPECT_FALSE(why.empty());
                                   EXPECT_EQ(why.find('\n'), std::string::npos);
                                   if (++failures == 3) world.loop.stop();
                               },
                           .on_notification = nullptr});
    connection.open();
    world.loop.run();
    EXPECT_EQ(failures, 3);
    connection.close();
}

TEST(Connection, AStatementWithoutConnectionIsAnsweredAsLost) {
    World world;
    ConnectionOptions options;
    options.conninfo = kNobody;
    Connection connection(world.loop, world.rng, std::move(options), {});
    bool answered = false;
    connection.run(kStatus, {}, [&](Answer answer) {
        answered = true;
        ASSERT_TRUE(std::holds_alternative<SqlError>(answer));
        EXPECT_TRUE(std::get<SqlError>(answer).lost());
    });
    EXPECT_TRUE(answered);
}

QueryPool::Options nobody(std::size_t max_waiting = 10) {
    QueryPool::Options options;
    options.name = "test";
    options.conninfo = kNobody;
    options.size = 1;
    options.max_waiting = max_waiting;
    return options;
}

TEST(QueryPool, WaitsNoLongerThanItsPatienceWhileNobodyIsUp) {
    World world;
    QueryPool pool(world.loop, world.rng, nobody());
    pool.start();
    bool inside = true;
    const auto began = std::chrono::steady_clock::now();
    pool.run(kStatus, {}, 200ms, [&](Answer answer) {
        EXPECT_FALSE(inside) << "an answer inside the call";
        EXPECT_TRUE(std::get<SqlError>(answer).lost());
        EXPECT_GE(std::chrono::steady_clock::now() - began, 200ms);
        world.loop.stop();
    });
    inside = false;
    world.loop.run();
    EXPECT_EQ(pool.waiting(), 0U);
    pool.stop();
}

TEST(QueryPool, RefusesWhatDoesNotFitItsQueueWithoutBlockingTheRest) {
    World world;
    QueryPool pool(world.loop, world.rng, nobody(2));
    pool.start();
    int refused = 0;
    for (int i = 0; i < 5; ++i) {
        pool.run(kStatus, {}, 60s, [&](Answer) {
            if (++refused == 3) world.loop.stop();
        });
    }
    EXPECT_EQ(refused, 0);
    world.loop.run();
    EXPECT_EQ(refused, 3);
    EXPECT_EQ(pool.waiting(), 2U);
    pool.stop();
    EXPECT_EQ(refused, 5);  // stop answers everybody
}

TEST(QueryPool, BoundsTheBytesThatWait) {
    World world;
    auto options = nobody(100);
    options.max_waiting_bytes = 1000;
    QueryPool pool(world.loop, world.rng, std::move(options));
    pool.start();
    int refused = 0;
    const auto count = [&](Answer) { ++refused; };
    pool.run(kHello, {std::string(900, 'x')}, 60s, count);
    pool.run(kHello, {std::string(200, 'x')}, 60s, count);
    world.loop.post([&] { world.loop.stop(); });
    world.loop.run();
    EXPECT_EQ(refused, 1);
    EXPECT_EQ(pool.waiting(), 1U);
    pool.stop();
}

TEST(Database, WhileNobodyIsUpEveryDecisionIsAnsweredWithinOnePatience) {
    World world;
    Database database(world.loop, world.rng, world.metrics,
                      {.conninfo = kNobody, .pool_size = 1, .decisions_a_batch = 1, .patience_connect = 100ms});
    database.start();
    int answered = 0;
    for (int i = 0; i < 10; ++i) {
        database.decide({"room", "{}"}, [&](const auto &decision) {
            EXPECT_EQ(decision.error().code, Errc::unavailable);
            if (++answered == 1) world.loop.stop();
        });
    }
    world.loop.run();
    EXPECT_EQ(answered, 10);
    database.stop();
}

TEST(Database, StopAnswersEveryQuestion) {
    World world;
    Database database(world.loop, world.rng, world.metrics, {.conninfo = kNobody, .pool_size = 1});
    database.start();
    int unavailable = 0;
    const auto count = [&](const auto &result) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, Errc::unavailable);
        ++unavailable;
    };
    database.connect("/", "{}", {"c", {}}, count);
    database.handle({"/", "e", "[]", "{}", {}, {"c", {}}}, count);
    database.decide({"room", "{}"}, count);
    database.sessions("bridge", "[]", count);
    database.revocations(count);
    database.status(count);
    database.stop();
    EXPECT_EQ(unavailable, 6);
    EXPECT_EQ(database.waiting(), 0U);
}

}  // namespace
}  // namespace bridge::db
