// A request without a server: what it is answered, or the stream that it becomes, with the test on the other end.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "../handlers/fakes.hpp"
#include "../net/pair.hpp"
#include "http/exchange.hpp"

namespace bridge::transport::test {

using handlers::test::kEpoch;
using handlers::test::World;

struct FakeExchange final : http::Exchange {
    explicit FakeExchange(std::vector<std::pair<std::string, std::string>> query, std::string token = {}, std::string path = "/poll") {
        asked.method = http::Method::get;
        asked.path = std::move(path);
        asked.query = std::move(query);
        asked.ip = "10.0.0.1";
        if (!token.empty()) asked.headers.emplace_back("authorization", "Bearer " + token);
    }
    http::Request &request() override { return asked; }
    bool internal() const override { return from_inside; }
    void watch(http::Watcher &one) override { watcher = &one; }
    void unwatch() override { watcher = nullptr; }
    void respond(http::Reply reply) override {
        EXPECT_FALSE(answer) << "answered twice";
        EXPECT_EQ(peer, std::nullopt);
        answer = std::move(reply);
    }
    net::StreamPtr detach(std::string &) override {
        EXPECT_FALSE(answer);
        net::Connected made = net::connect(loop());
        peer.emplace(std::move(made.peer));
        return std::move(made.stream);
    }
    void complete() { watcher->complete(*this); }
    void hang_up() {
        if (watcher != nullptr) std::exchange(watcher, nullptr)->gone(*this);
    }
    int status() const { return answer ? answer->status : 0; }
    std::string header(std::string_view name) const {
        for (const auto &[key, value] : answer->headers) {
            if (key == name) return value;
        }
        return {};
    }

    http::Request asked;
    bool from_inside = false;
    http::Watcher *watcher = nullptr;
    std::optional<http::Reply> answer;
    std::optional<net::Peer> peer;

    // One for all: a stream may outlive the exchange that it came from, and descriptors are few.
    static loop::Loop &loop() {
        static loop::Loop shared;
        return shared;
    }
};

// The next `count` decisions.
inline void decide(World &world, const db::Decision &decision, int count = 1) {
    for (; count > 0; --count) {
        ASSERT_FALSE(world.queries.decisions.empty());
        auto asked = std::move(world.queries.decisions.front());
        world.queries.decisions.pop_front();
        asked.then(decision);
    }
}

}  // namespace bridge::transport::test
