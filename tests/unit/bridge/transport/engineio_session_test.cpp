// An Engine.IO session with its time in hand: deadlines that no end-to-end test could wait for, and a peer that does not read.
#include "transport/engineio_session.hpp"

#include <gmock/gmock.h>

#include "../handlers/fakes.hpp"
#include "../net/pair.hpp"
#include "codec/websocket_frame.hpp"

namespace bridge::transport {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// A request with its answer; an upgrade is one end of a socketpair.
struct FakeExchange final : http::Exchange {
    http::Request asked;
    std::optional<http::Reply> reply;
    http::Watcher *watcher = nullptr;
    net::StreamPtr stream;

    http::Request &request() override { return asked; }
    bool internal() const override { return false; }
    void watch(http::Watcher &one) override { watcher = &one; }
    void unwatch() override { watcher = nullptr; }
    void respond(http::Reply answer) override {
        EXPECT_FALSE(reply) << "answered twice";
        reply = std::move(answer);
    }
    net::StreamPtr detach(std::string &) override { return std::move(stream); }
    std::string body() const { return reply ? std::to_string(reply->status) + " " + reply->body : "waits"; }
};

struct Test : testing::Test {
    handlers::test::World world;
    loop::Loop loop;
    SessionOptions options;
    http::Cors cors;
    Engineio engineio{world.services, options, cors};

    void pass(std::int64_t ms) {
        for (; ms > 0; ms -= 100) step(std::min<std::int64_t>(ms, 100));
    }
    void step(std::int64_t ms) {
        world.advance(ms);
        world.hub.flush();
        net::turns(loop);
        world.hub.flush();
        world.advance(0);
    }
    static http::Request request(std::string_view sid, std::string_view transport, http::Method method = http::Method::get) {
        http::Request out;
        out.method = method;
        out.query = {{"EIO", "4"}, {"transport", std::string(transport)}};
        if (!sid.empty()) out.query.emplace_back("sid", std::string(sid));
        return out;
    }
    std::unique_ptr<FakeExchange> ask(http::Request what, bool echo = true) {
        auto exchange = std::make_unique<FakeExchange>();
        exchange->asked = std::move(what);
        engineio.request(*exchange, echo);
        world.hub.flush();
        return exchange;
    }
    std::unique_ptr<FakeExchange> get(std::string_view sid) { return ask(request(sid, "polling")); }
    std::unique_ptr<FakeExchange> post(std::string_view sid, std::string body) {
        auto exchange = ask(request(sid, "polling", http::Method::post));
        if (exchange->watcher == nullptr) return exchange;
        exchange->asked.body = std::move(body);
        exchange->watcher->complete(*exchange);
        world.hub.flush();
        return exchange;
    }
    std::string open() { return ask(request("", "polling"))->reply->body.substr(9, 20); }
    net::Peer upgrade(std::string_view sid, int send_buffer = 0) {
        auto [stream, peer] = net::connect(loop, send_buffer);
        FakeExchange exchange;
        exchange.asked = request(sid, "websocket");
        exchange.asked.upgrade = true;
        exchange.asked.headers = {{"sec-websocket-version", "13"}, {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};
        exchange.stream = std::move(stream);
        engineio.request(exchange, true);
        EXPECT_FALSE(exchange.reply);
        return std::move(peer);
    }
    static std::string frame(std::string_view text, char opcode = 1) {
        std::string out{static_cast<char>(0x80 | opcode), static_cast<char>(0x80 | text.size()), 0, 0, 0, 0};
        return out += text;
    }
    static constexpr std::string_view kUnknown = R"(400 {"code":1,"message":"Session ID unknown"})";
    static constexpr std::string_view kClose1000{"\x88\x02\x03\xe8", 4};
};
using EngineioSessionTest = Test;

TEST_F(EngineioSessionTest, E5APollingSessionLivesByItsPongsAlone) {
    const std::string sid = open();
    for (int n = 0; n < 3; ++n) {
        auto waiting = get(sid);
        EXPECT_EQ(waiting->body(), "waits");
        pass(options.ping_interval);
        EXPECT_EQ(waiting->body(), "200 2");
        EXPECT_EQ(post(sid, "3")->body(), "200 ok");
    }
    auto waiting = get(sid);
    pass(options.ping_interval);
    EXPECT_EQ(post(sid, "4no pong")->body(), "200 ok");
    waiting = get(sid);
    EXPECT_EQ(waiting->body(), "200 4no pong");
    waiting = get(sid);
    pass(options.ping_timeout);
    EXPECT_EQ(waiting->body(), "200 1");
    EXPECT_EQ(get(sid)->body(), kUnknown);
    EXPECT_EQ(world.hub.connections(), 0U);
}

TEST_F(EngineioSessionTest, E5TheHeartbeatIsTestedAlsoWhenARequestComes) {
    const std::string sid = open();
    world.clock.advance(std::chrono::milliseconds(options.ping_interval + options.ping_timeout));
    world.deadlines.time += options.ping_interval + options.ping_timeout;  // no timer has run
    EXPECT_EQ(get(sid)->body(), kUnknown);
    EXPECT_EQ(engineio.counts().polling, 0U);
}

TEST_F(EngineioSessionTest, E5WhatADyingSessionWasSentIsKeptForThirtySeconds) {
    const std::string fetched = open(), forgotten = open();
    for (const std::string &sid : {fetched, forgotten})
        post(sid, "4a\x1e"
                  "4b");
    world.hub.each_connection([&](ConnectionId id) { world.hub.close(id, Errc::shutting_down); });
    step(8);
    EXPECT_EQ(world.hub.connections(), 0U) << "the hub is done with it";
    EXPECT_EQ(engineio.counts().polling, 2U);
    pass(EngineioSession::kDying - 1000);
    EXPECT_EQ(post(fetched, "4late")->body(), "200 ok");
    EXPECT_EQ(get(fetched)->body(), "200 4a\x1e"
                                    "4b");
    EXPECT_EQ(get(fetched)->body(), "200 1") << "alone: the stock client hands on what came with it too late";
    EXPECT_EQ(get(fetched)->body(), kUnknown);
    pass(1500);
    EXPECT_EQ(get(forgotten)->body(), kUnknown);
    EXPECT_EQ(engineio.counts().polling, 0U);
}

TEST_F(EngineioSessionTest, E5ADyingSessionGivesAllOfALot) {
    const std::string sid = open();
    std::string many = "40";
    for (int n = 1; n < 40; ++n)
        many += "\x1e"
                "4" +
                std::to_string(n);
    post(sid, many);
    world.hub.each_connection([&](ConnectionId id) { world.hub.close(id, Errc::shutting_down); });
    step(8);
    EXPECT_THAT(get(sid)->body(), EndsWith("\x1e"
                                           "415"));
    EXPECT_THAT(get(sid)->body(), EndsWith("\x1e"
                                           "431"));
    EXPECT_THAT(get(sid)->body(), EndsWith("\x1e"
                                           "439"));
    EXPECT_EQ(get(sid)->body(), "200 1");
    EXPECT_EQ(get(sid)->body(), kUnknown);
}

TEST_F(EngineioSessionTest, E5AProbeHasTenSeconds) {
    const std::string sid = open();
    net::Peer slow = upgrade(sid);
    slow.say(frame("2probe"));
    pass(EngineioSession::kProbing - 200);
    EXPECT_THAT(slow.hear(), EndsWith("\x81\x06"
                                      "3probe"));
    pass(400);
    EXPECT_THAT(slow.hear(), StartsWith(kClose1000));
    post(sid, "4alive");
    EXPECT_EQ(get(sid)->body(), "200 4alive");
    net::Peer second = upgrade(sid);
    second.say(frame("2probe") + frame("5") + frame("4hello"));
    pass(100);
    EXPECT_THAT(second.hear(), EndsWith("\x81\x06"
                                        "3probe\x81\x06"
                                        "4hello"));
    EXPECT_EQ(engineio.counts().websocket, 1U);
}

TEST_F(EngineioSessionTest, E5AnIdleSessionOverWebSocketHoldsNoPollingState) {
    const std::string sid = open();
    post(sid, "4rest");
    net::Peer peer = upgrade(sid);
    peer.say(frame("5"));
    pass(100);
    EXPECT_THAT(peer.hear(), EndsWith("\x81\x05"
                                      "4rest"));
    EXPECT_EQ(get(sid)->body(), R"(400 {"code":3,"message":"Bad request"})");
}

TEST_F(EngineioSessionTest, M10APeerThatDoesNotReadHasTwoSecondsForTheGoodbye) {
    net::Peer peer = upgrade("", 4096);
    const std::string big(100'000, 'x');
    world.hub.each_connection([&](ConnectionId id) {
        world.hub.send(id, hub::make_frame(codec::text_frame({"4", big})));
        world.hub.close(id, Errc::shutting_down);
    });
    step(8);
    EXPECT_EQ(engineio.counts().websocket, 1U);
    pass(Session::kCloseWait + 100);
    EXPECT_EQ(engineio.counts().websocket, 0U);
    EXPECT_EQ(world.hub.connections(), 0U);
}

TEST_F(EngineioSessionTest, M10ThereIsAnEndToNewSessions) {
    options.max_sessions = 2;
    const std::string sid = open();
    open();
    EXPECT_EQ(ask(request("", "polling"))->body(), R"(403 {"code":4,"message":"Forbidden"})");
    EXPECT_EQ(post(sid, "1")->body(), "200 ok");
    open();
    engineio.drain();
    EXPECT_EQ(ask(request("", "polling"))->body(), R"(403 {"code":4,"message":"Forbidden"})");
}

TEST_F(EngineioSessionTest, E5AWaitingGetThatIsGoneEndsTheSession) {
    const std::string sid = open();
    auto waiting = get(sid);
    waiting->watcher->gone(*waiting);
    EXPECT_EQ(get(sid)->body(), kUnknown);
    EXPECT_EQ(world.hub.connections(), 0U);
}

TEST_F(EngineioSessionTest, E5TheTransportReachesHandlersAndChangesWithTheUpgrade) {
    const std::string sid = ask(request("", "polling"), false)->reply->body.substr(9, 20);
    auto say = [&](std::string body) {
        auto exchange = ask(request(sid, "polling", http::Method::post), false);
        exchange->asked.body = std::move(body);
        exchange->watcher->complete(*exchange);
    };
    say(R"(40{"token":")" + world.token("u1") + R"("})");
    ASSERT_EQ(world.queries.connects.size(), 1U);
    EXPECT_THAT(world.queries.connects.front().context, HasSubstr(R"("transport":"polling")"));
    world.queries.connects.front().then(handlers::test::World::allowed({"all"}));
    auto [stream, peer] = net::connect(loop);
    FakeExchange exchange;
    exchange.asked = request(sid, "websocket");
    exchange.asked.upgrade = true;
    exchange.asked.headers = {{"sec-websocket-version", "13"}, {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};
    exchange.stream = std::move(stream);
    engineio.request(exchange, false);
    peer.say(frame("5") + frame(R"(42["ask",1])"));
    pass(100);
    ASSERT_EQ(world.queries.handles.size(), 1U);
    EXPECT_THAT(world.queries.handles.front().first.context, HasSubstr(R"("transport":"websocket")"));
    EXPECT_THAT(peer.hear(), HasSubstr("40{\"sid\""));
}

}  // namespace
}  // namespace bridge::transport
