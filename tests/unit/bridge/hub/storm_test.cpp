// Ten thousand clients that come back at once: few queries, shared frames, bounded memory.
#include <gmock/gmock.h>

#include "history_fakes.hpp"

namespace bridge::hub {
namespace {

using test::Client;
using test::Past;

TEST(Storm, E2_OfTenThousandIsServedFromSharedPages) {
    HubOptions hub_options;
    hub_options.replay_buffer_bytes = 0;
    Past past(hub_options);
    constexpr int kSessions = 10'000, kEvents = 100, kTogether = 50;
    past.publish({"all"});
    std::vector<Client> clients;
    std::vector<std::string> own(kSessions);
    for (int i = 0; i < kSessions; ++i) {
        clients.push_back(past.user("u" + std::to_string(i)));
        own[static_cast<std::size_t>(i)] = "user:u" + std::to_string(i);
    }
    for (int i = 0; i < kEvents; ++i) past.publish({"all", "group:" + std::to_string(i % 4)});
    past.encoder.encoded = 0;
    // They come over many turns, with cursors that differ, each with a room of its own beside the shared ones.
    for (int i = 0; i < kSessions; ++i) {
        const Position since{static_cast<std::uint64_t>(1 + i % 3)};
        past.recover(clients[static_cast<std::size_t>(i)], {{"all", since}, {own[static_cast<std::size_t>(i)], since}});
        if (i % (kSessions / kTogether) == 0) {
            past.history.turn();
            past.hub.flush();
        }
    }
    past.settle();
    EXPECT_EQ(past.outcomes.size(), static_cast<std::size_t>(kSessions));
    for (int i = 0; i < kSessions; ++i) {
        const std::string got = past.got(clients[static_cast<std::size_t>(i)]);
        ASSERT_EQ(std::count(got.begin(), got.end(), ' '), kEvents - 1 - i % 3) << i;
    }
    EXPECT_LE(past.log.asked.size(), 10U);
    EXPECT_LE(past.encoder.encoded, 1000);  // frames are shared
    for (const auto &page : past.log.asked) EXPECT_LE(page.rooms.size(), 5001U);
    EXPECT_EQ(past.metrics.history_queries().Value(), static_cast<double>(past.log.asked.size()));
    EXPECT_EQ(past.metrics.recoveries("recovered").Value(), kSessions);
    EXPECT_EQ(past.hub.members("all"), static_cast<std::size_t>(kSessions));
}

// Nothing to share but the queries: each misses events of its own.
TEST(Storm, E2_OfClientsThatMissTheirOwnEventsSharesTheQueries) {
    HubOptions hub_options;
    hub_options.replay_buffer_bytes = 0;
    Past past(hub_options);
    constexpr std::size_t kSessions = 3'000, kEvents = 10;
    std::vector<std::string> own;
    for (std::size_t i = 0; i < kSessions; ++i) own.push_back("user:u" + std::to_string(i));
    for (std::size_t n = 0; n < kEvents; ++n) {
        for (const std::string &room : own) past.publish({room});
    }
    std::vector<Client> clients;
    for (std::size_t i = 0; i < kSessions; ++i) {
        clients.push_back(past.user("u" + std::to_string(i)));
        past.recover(clients[i], {{own[i], Position{0}}});
    }
    past.settle();
    for (std::size_t i = 0; i < kSessions; ++i) {
        const std::string got = past.got(clients[i]);
        ASSERT_EQ(static_cast<std::size_t>(std::count(got.begin(), got.end(), ' ')), kEvents - 1) << i;
    }
    EXPECT_LE(past.log.asked.size(), 10U);
    EXPECT_EQ(past.metrics.recoveries("recovered").Value(), kSessions);
}

}  // namespace
}  // namespace bridge::hub
