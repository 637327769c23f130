// A world in which sessions are asked for again, and the answers that SQL gives then.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "fakes.hpp"

namespace bridge::handlers::test {

inline constexpr std::string_view kKey = "kkkkkkkkkkkkkkkkkkkk", kSid = "ssssssssssssssssssss", kPid = "pppppppppppppppppppp";

struct Recovering : ::testing::Test {
    World world{HandlerOptions{}};

    static std::string at(std::uint64_t position) { return std::string(kEpoch) + ":" + std::to_string(position); }

    // The session that is asked for was found, with these rooms, since this position.
    static db::ConnectAnswer found(const std::vector<std::string> &rooms, std::uint64_t since, std::uint64_t now,
                                   std::uint64_t generation = 2) {
        db::ConnectAnswer answer = World::allowed(rooms, now);
        for (auto &room : answer.rooms) room.since = Position{since};
        answer.recovered = db::StoredSession{*PublicId::parse(kKey), *PublicId::parse(kSid), generation, Position{since}};
        return answer;
    }
    void come_back(Caller &peer, std::string_view more = "", std::string_view pid = kPid) {
        peer.say(codec::Inbound::Kind::connect, "/",
                 R"({"token":")" + world.token("u1") + R"(","pid":")" + std::string(pid) + '"' + std::string(more) + "}");
    }
    void answer(Result<db::ConnectAnswer> with) {
        ASSERT_FALSE(world.queries.connects.empty());
        auto then = std::move(world.queries.connects.front().then);
        world.queries.connects.pop_front();
        then(std::move(with));
    }
    std::string asked() { return world.queries.connects.empty() ? "(nothing)" : world.queries.connects.front().context; }
    std::string recover_asked() {
        const auto tree = json::parse(asked());
        return tree && tree->contains("recover") ? (*tree)["recover"].dump() : "none";
    }
};

}  // namespace bridge::handlers::test
