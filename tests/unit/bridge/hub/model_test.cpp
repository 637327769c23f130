// Random operations on the hub beside a naive model made of sets: after every step both agree on members, rooms and deliveries.
#include <map>
#include <random>
#include <set>

#include <gmock/gmock.h>

#include "base/json.hpp"
#include "fakes.hpp"

namespace bridge::hub {
namespace {

using test::Client;
using test::World;

struct Model {
    struct Logged {
        std::uint64_t position;
        std::set<std::string> rooms;
        std::string except;
        std::string text;
    };
    struct Session {
        std::map<std::string, std::uint64_t> rooms;  // name → since
        std::vector<std::string> inbox;
        std::string key;
    };
    std::vector<Logged> log;
    std::map<std::size_t, Session> sessions;  // by number of the client

    void give(Session &session, const Logged &event) {
        if (event.except != session.key) session.inbox.push_back(event.text);
    }
    void deliver(const Logged &event) {
        log.push_back(event);
        for (auto &[number, session] : sessions) {
            for (const auto &[room, since] : session.rooms) {
                if (event.rooms.contains(room) && event.position > since) {
                    give(session, event);
                    break;
                }
            }
        }
    }
    void join(Session &session, const std::string &room, std::uint64_t since) {
        if (!session.rooms.emplace(room, since).second) return;
        for (const Logged &event : log) {
            if (event.position <= since || !event.rooms.contains(room)) continue;
            bool had = false;  // through a room that it is still in
            for (const auto &[other, other_since] : session.rooms) {
                had = had || (other != room && event.rooms.contains(other) && event.position > other_since);
            }
            if (!had) give(session, event);
        }
    }
};

class HubModel : public testing::TestWithParam<unsigned> {};

TEST_P(HubModel, AgreesWithNaiveSets) {
    std::mt19937 random(GetParam());
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    const std::vector<std::string> names{"a", "b", "c", "d", "room with a longer name than SSO", "f", "\x1e\"\\"};
    World world;
    Model model;
    std::map<std::size_t, Client> clients;
    std::size_t next = 0;

    for (int step = 0; step < 3000; ++step) {
        const std::size_t dice = below(100);
        const auto pick = [&] { return std::next(clients.begin(), static_cast<std::ptrdiff_t>(below(clients.size()))); };
        if (clients.empty() || dice < 6) {
            Client made = world.client(below(2) ? Protocol::socketio : Protocol::socketio_base64);
            model.sessions[next].key = made.key.view();
            clients.emplace(next++, std::move(made));
        } else if (dice < 9) {
            const auto gone = pick();
            world.hub.closed(gone->second.connection);
            model.sessions.erase(gone->first);
            clients.erase(gone);
        } else if (dice < 40) {
            const auto who = pick();
            const std::string &room = names[below(names.size())];
            // most decisions are fresh, some are behind the stream, some ahead of it
            const std::uint64_t since = std::max<std::uint64_t>(world.position + below(3), 3) - below(4);
            const Join joined = world.hub.join(who->second.session, room, Position{since});
            ASSERT_EQ(joined == Join::already, model.sessions[who->first].rooms.contains(room));
            ASSERT_NE(joined, Join::too_old);
            model.join(model.sessions[who->first], room, since);
        } else if (dice < 60) {
            const auto who = pick();
            const std::string &room = names[below(names.size())];
            ASSERT_EQ(world.hub.leave(who->second.session, room), model.sessions[who->first].rooms.erase(room) == 1);
        } else {
            Model::Logged event;
            std::string rooms = "[";
            for (std::size_t n = 1 + below(3); n > 0; --n) {
                const std::string &room = names[below(names.size())];
                event.rooms.insert(room);
                rooms += (rooms.size() > 1 ? "," : "") + json::quote(room);
            }
            std::string headers = "{}";
            if (below(4) == 0) {
                event.except = pick()->second.key.view();
                headers = R"({"exceptSession":")" + event.except + "\"}";
            }
            event.position = world.position + 1;
            event.text = "<e " + std::to_string(event.position) + ">";
            world.deliver(rooms + "]", "e", std::to_string(event.position), headers);
            model.deliver(event);
        }
        if (below(3) == 0) world.hub.flush();

        std::map<std::string, std::size_t> counts;
        for (const auto &[number, session] : model.sessions) {
            for (const auto &[room, since] : session.rooms) ++counts[room];
        }
        for (const std::string &room : names) ASSERT_EQ(world.hub.members(room), counts[room]);
        ASSERT_EQ(world.hub.rooms(), counts.size() - static_cast<std::size_t>(std::count_if(counts.begin(), counts.end(),
                                                                                            [](const auto &c) { return c.second == 0; })));
    }
    world.hub.flush();
    for (auto &[number, client] : clients) {
        std::string expected;
        for (const std::string &text : model.sessions[number].inbox) expected += text;
        EXPECT_EQ(client.sink->all(), expected) << "client " << number;
        std::set<std::string> rooms;
        for (const auto &[room, since] : model.sessions[number].rooms) rooms.insert(room);
        const auto actual = world.hub.rooms_of(client.session);
        EXPECT_EQ(std::set<std::string>(actual.begin(), actual.end()), rooms);
        EXPECT_EQ(actual.size(), rooms.size());
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, HubModel, testing::Range(1U, 21U));

}  // namespace
}  // namespace bridge::hub
