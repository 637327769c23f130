// Sessions that want some events only: an encoder that gives nothing is skipped on every way that an event can take.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/scope.hpp"
#include "history_fakes.hpp"

namespace bridge::hub {
namespace {

using test::Client;
using test::Past;

// As the app's encoder does it.
struct Choosy : test::FakeEncoder {
    FramePtr encode(Protocol protocol, std::string_view nsp, const Event &event, std::string_view cursor, std::string_view room) override {
        if (!wants(nsp, event.name) && event.name != R"("room:evicted")") return nullptr;
        return FakeEncoder::encode(protocol, "/", event, cursor, room);
    }
};

struct ScopeTest : ::testing::Test {
    Choosy encoder;
    FakeClock clock;
    FakeRng rng;
    Metrics metrics{"test", "test"};
    Hub hub{HubOptions{}, encoder, clock, metrics};
    test::FakeLog log;
    History history{hub, log, metrics};
    std::uint64_t position = 0;

    void SetUp() override { hub.set_epoch("00000000000000e1"); }
    Client listener(std::vector<std::string> events, Protocol protocol = Protocol::sse, std::uint64_t base = 0) {
        Client made;
        made.connection = hub.open(*made.sink);
        made.key = rng.id();
        const std::string nsp = scope("/sse", std::move(events));
        made.session = hub.add_session(made.connection, {protocol, nsp, made.key, {}, std::make_shared<const Claims>(), Position{base}});
        return made;
    }
    void publish(const std::string &name, const std::string &room = "r") {
        const std::string literal = "\"" + name + "\"", rooms = "[\"" + room + "\"]", payload = std::to_string(++position);
        log.events.push_back({position, {room}, rooms, literal, payload, "{}"});
        hub.deliver({Position{position}, position, rooms, literal, "{}", payload, {}});
        hub.advance(Position{position});
    }
    std::string got(Client &client) {
        hub.flush();
        return client.sink->take();
    }
};

TEST_F(ScopeTest, C3EachGetsTheEventsThatItWants) {
    Client all = listener({}), a = listener({"a"}), also_a = listener({"a"}), both = listener({"b", "a"});
    for (Client *client : {&all, &a, &also_a, &both}) EXPECT_EQ(hub.join(client->session, "r", Position{}), Join::joined);
    publish("a");
    publish("b");
    publish("c");
    EXPECT_EQ(got(all), "<a 1><b 2><c 3>");
    EXPECT_EQ(got(a), "<a 1>");
    EXPECT_EQ(got(also_a), "<a 1>");
    EXPECT_EQ(got(both), "<a 1><b 2>");
    EXPECT_EQ(encoder.encoded, 3 + 1 + 2) << "once for each scope that wants it";
    EXPECT_EQ(metrics.sse_messages("/sse").Value(), 3 + 1 + 1 + 2);
    EXPECT_EQ(metrics.messages_sent("/sse", "c").Value(), 1);
}

TEST_F(ScopeTest, C3FiveThousandStreamsShareOneFrame) {
    std::vector<Client> clients;
    for (int n = 0; n < 5'000; ++n) {
        clients.push_back(listener({"a"}));
        EXPECT_EQ(hub.join(clients.back().session, "r", Position{}), Join::joined);
    }
    publish("a");
    hub.flush();
    EXPECT_EQ(encoder.encoded, 1);
    for (Client &client : clients) EXPECT_THAT(client.sink->writes, ::testing::ElementsAre("<a 1>"));
}

TEST_F(ScopeTest, WhatIsReplayedOrReadFromTheLogIsChosenToo) {
    for (const char *name : {"b", "a", "c", "a"}) publish(name);
    Client joins = listener({"a"});
    EXPECT_EQ(hub.join(joins.session, "r", Position{}), Join::joined);
    EXPECT_EQ(got(joins), "<a 2><a 4>");

    hub.start_anew();  // from here on it stands in the log only
    Client returns = listener({"a"}), other = listener({"c"}), none = listener({"z"});
    std::vector<HistoryOutcome> outcomes;
    for (Client *client : {&returns, &other, &none}) {
        history.recover({client->session, {{"r", Position{1}}}, hub.head(), false, make_frame("<hello>")},
                        [&](HistoryOutcome outcome) { outcomes.push_back(std::move(outcome)); });
    }
    for (int turn = 0; turn < 10 && history.waiting() > 0; ++turn) {
        history.turn();
        if (log.open) log.answer(history);
        hub.flush();
    }
    ASSERT_EQ(outcomes.size(), 3U);
    for (const HistoryOutcome &outcome : outcomes) EXPECT_TRUE(outcome.recovered);
    EXPECT_EQ(got(returns), "<hello><a 2><a 4>");
    EXPECT_EQ(got(other), "<hello><c 3>");
    EXPECT_EQ(got(none), "<hello>");
    publish("a");
    EXPECT_EQ(got(returns), "<a 5>");
    EXPECT_EQ(got(none), "");
}

TEST_F(ScopeTest, AnEvictionIsToldWhateverIsWanted) {
    Client client = listener({"a"});
    EXPECT_EQ(hub.join(client.session, "r", Position{}), Join::joined);
    hub.deliver(
        {Position{++position}, 1, R"(["pulse:system"])", R"("pulse:evict")", "{}", R"({"room":"r","userId":null,"reason":null})", {}});
    EXPECT_EQ(got(client), "<room:evicted {\"room\":\"r\",\"reason\":null}>");
}

TEST_F(ScopeTest, AFloodOfScopesOverTimeIsForgotten) {
    Client stays = listener({"kept"});
    EXPECT_EQ(hub.join(stays.session, "r", Position{}), Join::joined);
    for (int n = 0; n < 100'000; ++n) {
        Client one = listener({"x" + std::to_string(n), "kept"});
        EXPECT_EQ(hub.join(one.session, "r", hub.head()), Join::joined);
        if (n % 1'000 == 0) {
            publish("kept");
            EXPECT_EQ(got(one), "<kept " + std::to_string(position) + ">");
            EXPECT_EQ(got(stays), "<kept " + std::to_string(position) + ">");
        }
        hub.closed(one.connection);
    }
    encoder.encoded = 0;
    publish("kept");
    EXPECT_EQ(encoder.encoded, 1);
}

TEST_F(ScopeTest, ManyScopesAtOnceEachGetTheirOwn) {
    std::vector<Client> clients;
    for (int n = 0; n < 70'000; ++n) clients.push_back(listener({"only" + std::to_string(n)}));
    for (const int n : {0, 300, 65'535, 65'536, 69'999})
        EXPECT_EQ(hub.join(clients[static_cast<std::size_t>(n)].session, "r", Position{}), Join::joined);
    publish("only65536");
    publish("only0");
    EXPECT_EQ(got(clients[0]), "<only0 2>");
    EXPECT_EQ(got(clients[65'536]), "<only65536 1>");
    EXPECT_EQ(got(clients[300]), "");
}

}  // namespace
}  // namespace bridge::hub
