// Random recoveries in a random order of everything that can happen meanwhile (events, evictions, pages that are cut, slow sockets,
// clients that leave, a ring of any size), beside a model that only knows the log: each client got exactly what it had a right to, once, in
// order, or was refused before it got anything.
#include <map>
#include <random>

#include <gmock/gmock.h>

#include "history_fakes.hpp"

namespace bridge::hub {
namespace {

using test::Client;
using test::Past;

struct Returned {
    Client client;
    std::string user;
    std::map<std::string, std::uint64_t> rooms;  // name → since
    std::optional<HistoryOutcome> outcome;
};

class RecoveryModel : public testing::TestWithParam<unsigned> {};

TEST_P(RecoveryModel, E2_M10_EverythingOnceInOrderOrNothing) {
    std::mt19937 random(GetParam());
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    HubOptions hub_options;
    hub_options.replay_buffer_bytes = below(3) == 0 ? 0 : 1000 + below(6000);
    HistoryOptions options;
    options.page = static_cast<int>(1 + below(6));
    options.window = 60 + below(400);
    options.near = 1 + below(50);
    options.rooms_a_query = 1 + below(6);
    Past past(hub_options, options);
    past.encoder.with_cursor = false;
    const std::vector<std::string> names{"a", "b", "c", "a room with a longer name than fits inside", "e"};
    const std::vector<std::string> users{"ann", "bob", "cid"};
    std::map<std::pair<std::string, std::string>, std::vector<std::uint64_t>> evictions;  // of (room, user)
    std::vector<std::unique_ptr<Returned>> all;

    const auto pick_room = [&]() -> const std::string & { return names[below(names.size())]; };
    for (int step = 0; step < 1500; ++step) {
        const std::size_t dice = below(100);
        if (dice < 45) {
            std::set<std::string> in;
            for (std::size_t n = 1 + below(3); n > 0; --n) in.insert(pick_room());
            past.publish({in.begin(), in.end()});
        } else if (dice < 48) {
            const std::string &room = pick_room(), &user = users[below(users.size())];
            past.evict(room, user);
            evictions[{room, user}].push_back(past.position);
        } else if (dice < 56) {
            auto made = std::make_unique<Returned>();
            made->user = users[below(users.size())];
            made->client = past.user(made->user);
            std::vector<RoomSince> rooms;
            for (std::size_t n = 1 + below(4); n > 0; --n) {
                const std::string &room = pick_room();
                // The database has refused what lies over an eviction that it knew.
                const auto &lost = evictions[{room, made->user}];
                const std::uint64_t earliest =
                    std::max(lost.empty() ? 0 : lost.back(), past.position - std::min<std::uint64_t>(past.position, 60));
                const std::uint64_t since = earliest + below(past.position - earliest + 2);
                if (made->rooms.emplace(room, since).second) rooms.push_back({room, Position{since}});
            }
            Returned *one = made.get();
            all.push_back(std::move(made));
            past.history.recover({one->client.session, rooms, past.hub.head(), false, make_frame("<first>")},
                                 [one](HistoryOutcome outcome) { one->outcome = std::move(outcome); });
        } else if (dice < 72) {
            past.history.turn();
            if (past.log.open) past.log.answer(past.history, below(4) == 0 ? below(4) : SIZE_MAX);
        } else if (dice < 90) {
            past.hub.flush();
        } else if (!all.empty()) {
            Returned &one = *all[below(all.size())];
            if (below(6) == 0) {
                past.hub.closed(one.client.connection);
                one.client.connection = ConnectionId{};
            } else {
                one.client.sink->choked = below(2) == 0;
                past.hub.writable(one.client.connection);
            }
        }
    }
    for (const auto &one : all) one->client.sink->choked = false;
    for (int i = 0; i < 20'000 && past.history.waiting() > 0; ++i) {
        for (const auto &one : all) past.hub.writable(one->client.connection);
        past.history.turn();
        if (past.log.open) past.log.answer(past.history);
        past.hub.flush();
    }
    ASSERT_EQ(past.history.waiting(), 0U);
    past.publish(names);
    past.hub.flush();
    for (int i = 0; i < 100; ++i) {
        for (const auto &one : all) past.hub.writable(one->client.connection);
    }

    std::size_t complete = 0;
    for (const auto &one : all) {
        ASSERT_TRUE(one->outcome);
        if (!one->client.connection) continue;
        const std::string got = one->client.sink->all();
        if (!one->outcome->recovered) {
            EXPECT_EQ(one->outcome->reason, "evicted");
            EXPECT_FALSE(one->outcome->begun);
            EXPECT_EQ(got, "");
            continue;
        }
        std::string expected = "<first>";
        auto rooms = one->rooms;
        for (const auto &logged : past.log.events) {
            if (logged.rooms.front() == "pulse:system") {
                const auto eviction =
                    Eviction::read({Position{logged.position}, 0, logged.rooms_json, logged.name, "{}", logged.payload, {}});
                const auto room = rooms.find(eviction->room);
                if (eviction->user != one->user || room == rooms.end() || room->second >= logged.position) continue;
                rooms.erase(room);
                expected += R"(<room:evicted {"room":")" + eviction->room + R"(","reason":"gone"}>)";
                continue;
            }
            for (const std::string &name : logged.rooms) {
                const auto room = rooms.find(name);
                if (room == rooms.end() || logged.position <= room->second) continue;
                expected += "<e " + logged.payload + ">";
                break;
            }
        }
        ASSERT_EQ(got, expected);
        ++complete;
    }
    EXPECT_GT(complete, 20U);
    EXPECT_GT(past.metrics.recoveries("recovered").Value(), 20);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RecoveryModel, testing::Range(1U, 41U));

}  // namespace
}  // namespace bridge::hub
