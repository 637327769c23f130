// A request becomes an event stream, or is refused while it still can be; and what it costs nobody when it goes.
#include "transport/sse.hpp"

#include <nlohmann/json.hpp>

#include "listeners.hpp"
#include "transport/requests.hpp"

namespace bridge::transport {
namespace {

using namespace test;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct SseTest : ::testing::Test {
    World world;
    http::Cors cors{{"https://app.example"}};
    Sse sse{world.services, SseOptions{std::chrono::milliseconds(1'500), 10'000}, cors};
    Requests requests{world.services, sse, {"an older token", "the token of the inside"}};

    std::unique_ptr<FakeExchange> ask(std::vector<std::pair<std::string, std::string>> more = {{"room", "a"}}) {
        auto exchange = std::make_unique<FakeExchange>(std::move(more), world.token("u1"), "/sse");
        exchange->asked.headers.emplace_back("origin", "https://app.example");
        sse.request(*exchange);
        return exchange;
    }
    std::string hear(FakeExchange &exchange) {
        world.hub.flush();
        return exchange.peer ? exchange.peer->hear() : "(no stream)";
    }
    double open() { return world.metrics.sse_streams("/sse").Value(); }
};

TEST_F(SseTest, M1HeadFirstBlockAndEvents) {
    const auto one = ask();
    EXPECT_EQ(hear(*one), "(no stream)");
    decide(world, World::decision(true, 0));
    world.event(1, "a", "1");
    const std::string text = hear(*one);
    EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(text, HasSubstr("text/event-stream; charset=utf-8"));
    EXPECT_THAT(text, HasSubstr("Access-Control-Allow-Origin: https://app.example"));
    EXPECT_THAT(text, Not(HasSubstr("Content-Length")));
    EXPECT_THAT(text, EndsWith("\r\n\r\nretry: 1500\nid: " + World::at(0) + "\n\nid: " + World::at(1) + "\nevent: e\ndata: 1\n\n"));
    EXPECT_EQ(open(), 1);
    world.event(2, "b", "2");
    world.advance(10'000);
    EXPECT_EQ(hear(*one), ": ping\nid: " + World::at(2) + "\n\n");
}

TEST_F(SseTest, E7WhatCannotBeGivenIsSaidAtOnce) {
    const auto one = ask({{"room", "a"}, {"lastEventId", World::at(1)}});
    decide(world, World::not_recovered(9, "expired"));
    EXPECT_THAT(hear(*one), EndsWith("id: " + World::at(9) + "\n\nid: " + World::at(9) +
                                     "\nevent: must-refetch\ndata: {\"reason\":\"expired\",\"position\":\"" + World::at(9) + "\"}\n\n"));
}

TEST_F(SseTest, S1RefusalsHaveAStatusAndTheHeaderWinsOverTheQuery) {
    EXPECT_EQ(ask({})->status(), 422);
    const auto denied = ask();
    decide(world, World::decision(false, 0));
    EXPECT_EQ(denied->status(), 403);
    FakeExchange nobody({{"room", "a"}}, "");
    sse.request(nobody);
    EXPECT_EQ(nobody.status(), 401);
    FakeExchange both({{"room", "a"}, {"lastEventId", World::at(5)}}, world.token("u1"));
    both.asked.headers.emplace_back("last-event-id", World::at(6));
    sse.request(both);
    EXPECT_EQ(world.queries.decisions.front().request.since, World::at(6));
    both.hang_up();
    EXPECT_EQ(world.metrics.sse_errors().Value(), 3);
    EXPECT_EQ(open(), 0);
    world.advance(10);
    EXPECT_EQ(sse.open(), 0U);
    EXPECT_EQ(world.hub.connections(), 0U);
}

TEST_F(SseTest, D4ADrainEndsStreamsAndRefusesNewOnes) {
    const auto live = ask(), asking = ask();
    decide(world, World::decision(true, 0));
    world.event(1, "a", "1");
    world.hub.each_connection([&](ConnectionId id) { world.hub.close(id, Errc::shutting_down); });
    const std::string text = hear(*live);
    EXPECT_THAT(text, HasSubstr("data: 1\n\n"));
    world.advance(10);
    EXPECT_EQ(asking->status(), 503) << "nothing of it was sent yet";
    EXPECT_EQ(sse.open(), 0U);
    EXPECT_EQ(world.hub.connections(), 0U);
    EXPECT_EQ(open(), 0);
    sse.drain();
    EXPECT_EQ(ask()->status(), 503);
}

TEST_F(SseTest, WhoHangsUpIsForgottenAtOnce) {
    const auto one = ask();
    decide(world, World::decision(true, 0));
    hear(*one);
    one->peer->hang_up();
    for (int turn = 0; turn < 100 && world.hub.connections() > 0; ++turn) FakeExchange::loop().run_once();
    EXPECT_EQ(world.hub.connections(), 0U);
    EXPECT_EQ(sse.open(), 0U);
    EXPECT_EQ(open(), 0);
    const auto asking = ask();
    asking->hang_up();
    decide(world, World::decision(true, 0));
    EXPECT_EQ(sse.open(), 0U);
    EXPECT_EQ(open(), 0);
}

TEST_F(SseTest, C3SqlIsToldOfTheRequestButNotOfSecrets) {
    FakeExchange exchange({{"a", "1"}, {"a", "2"}, {"token", "s3cret"}, {"bad", "\xff"}}, world.token("u1"), "/api/x/stream");
    exchange.asked.headers.insert(exchange.asked.headers.end(),
                                  {{"cookie", "pulse_token=s3cret"}, {"x-a", "1"}, {"x-a", "2"}, {"x-bad", "\xff"}});
    requests.request(exchange);
    EXPECT_TRUE(world.queries.requests.empty()) << "the whole request first";
    exchange.complete();
    ASSERT_EQ(world.queries.requests.size(), 1U);
    auto [call, then] = std::move(world.queries.requests.front());
    world.queries.requests.clear();
    EXPECT_EQ(call.method + " " + call.path, "GET /api/x/stream");
    EXPECT_EQ(call.request, R"({"query":{"a":"2"},"headers":{"x-a":"1, 2"},"body":"","ip":"10.0.0.1"})");
    EXPECT_THAT(call.context, HasSubstr(R"("userId":"u1")"));
    EXPECT_THAT(call.context, HasSubstr(R"("internal":false,"internalToken":false)"));

    db::StreamAnswer answer;
    answer.rooms = {"order:7"};
    answer.first = {{R"("now")", R"({"n":1})"}};
    answer.position = Cursor{std::string(kEpoch), Position{0}};
    db::RequestAnswer given(std::move(answer));
    given.path = "/api/{name}/stream";
    then(std::move(given));
    world.event(1, "order:7", "2");
    EXPECT_THAT(hear(exchange),
                EndsWith("id: " + World::at(0) + "\n\nevent: now\ndata: {\"n\":1}\n\nid: " + World::at(1) + "\nevent: e\ndata: 2\n\n"));
    EXPECT_EQ(world.metrics.sse_streams("/api/{name}/stream").Value(), 1);
}

TEST_F(SseTest, M10AQueryOfThousandsOfNamesIsReadInOneGo) {
    std::vector<std::pair<std::string, std::string>> query;
    for (int n = 0; n < 200'000; ++n) query.emplace_back(std::to_string(n % 150'000), std::to_string(n));
    FakeExchange exchange(std::move(query), "", "/x");
    for (int n = 0; n < 200'000; ++n) exchange.asked.headers.emplace_back("x-" + std::to_string(n), "1");
    requests.request(exchange);
    exchange.complete();  // by comparing each with each this would take minutes
    const auto tree = json::parse(world.queries.requests.front().first.request, {.max_bytes = 100'000'000});
    ASSERT_TRUE(tree);
    EXPECT_EQ((*tree)["query"].size(), 150'000U);
    EXPECT_EQ((*tree)["query"]["7"], "150007");
    EXPECT_EQ((*tree)["headers"].size(), 200'000U);
    exchange.hang_up();
}

TEST_F(SseTest, M10RequestsThatWaitForSqlAreBounded) {
    std::vector<std::unique_ptr<FakeExchange>> all;
    const auto ask_one = [&] {
        all.push_back(std::make_unique<FakeExchange>(std::vector<std::pair<std::string, std::string>>{}, "", "/favicon.ico"));
        requests.request(*all.back());
        return all.back()->status();
    };
    for (int n = 0; n < 1'000; ++n) EXPECT_EQ(ask_one(), 0);
    EXPECT_EQ(ask_one(), 503);
    EXPECT_EQ(all.back()->header("Retry-After"), "1");
    all.front()->hang_up();
    EXPECT_EQ(ask_one(), 0);
    for (auto &exchange : all) exchange->hang_up();
    EXPECT_EQ(requests.waiting(), 0U);
}

TEST_F(SseTest, C3RefusalsOfSqlAndOfPathsThatAreNotForEverybody) {
    FakeExchange unknown({}, "not.a.token", "/nothing");
    requests.request(unknown);
    unknown.complete();
    EXPECT_THAT(world.queries.requests.front().first.context, StartsWith(R"({"claims":null,"userId":null)"));
    EXPECT_THAT(world.queries.requests.front().first.context, HasSubstr(R"("authError":")"));
    world.queries.requests.front().second(Error{Errc::not_found, "no such path"});
    world.queries.requests.clear();
    EXPECT_EQ(unknown.status(), 404);

    FakeExchange outside({}, {}, "/internal/x"), no_token({}, {}, "/internal/x"), inside({}, {}, "/internal/x");
    no_token.from_inside = inside.from_inside = true;
    inside.asked.headers.emplace_back("x-internal-token", "the token of the inside");
    for (FakeExchange *one : {&outside, &no_token, &inside}) requests.request(*one);
    EXPECT_EQ(outside.status(), 404);
    EXPECT_EQ(no_token.status(), 401);
    inside.complete();
    EXPECT_THAT(world.queries.requests.front().first.context, HasSubstr(R"("internal":true,"internalToken":true)"));
    inside.hang_up();
    world.queries.requests.front().second(Error{Errc::not_found, "no such path"});
    EXPECT_EQ(inside.status(), 0) << "nobody is there";
    EXPECT_EQ(requests.waiting(), 0U);
}

}  // namespace
}  // namespace bridge::transport
