// HTTP over a real socket, with a service that does what the test says and a clock that stands still.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../net/pair.hpp"
#include "http/connections.hpp"

namespace bridge::http {

using net::Peer;
using net::turns;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class StandingClock final : public loop::Deadlines {
public:
    std::int64_t now() const override { return now_; }
    void arm(loop::Wheel::Entry &entry, std::int64_t due) override { wheel_.arm(entry, due); }
    void pass(std::int64_t ms) {
        now_ += ms;
        wheel_.advance(now_ + 2 * loop::Wheel::kResolution);
    }

private:
    std::int64_t now_ = 1'000'000;
    loop::Wheel wheel_{1'000'000};
};

class HttpConnection : public testing::Test, public Service, public Watcher {
protected:
    void request(Exchange &exchange) override {
        ++requests;
        last = exchange.request();
        if (on_request) {
            on_request(exchange);
        } else {
            answer(exchange);
        }
    }
    void complete(Exchange &exchange) override {
        ++completed;
        last = exchange.request();
        if (on_complete) {
            on_complete(exchange);
        } else {
            parked = &exchange;
        }
    }
    void gone(Exchange &) override {
        ++lost;
        parked = nullptr;
        if (on_gone) on_gone();
    }
    static void answer(Exchange &exchange) {
        Reply reply;
        reply.content_type = "text/plain";
        reply.body = "[" + exchange.request().path + "]";
        exchange.respond(std::move(reply));
    }
    void watch_all() {
        on_request = [this](Exchange &exchange) { exchange.watch(*this); };
    }

    Peer connect(int send_buffer = 0) {
        auto [stream, peer] = net::connect(loop, send_buffer);
        connections->add(std::move(stream));
        return std::move(peer);
    }
    std::string ask(const Peer &peer, std::string_view text) {
        peer.say(text);
        turns(loop);
        return peer.hear();
    }
    std::string ask(std::string_view text) { return ask(connect(), text); }

    loop::Loop loop;
    StandingClock clock;
    Cors cors;
    Limits limits;
    std::unique_ptr<Connections> connections = std::make_unique<Connections>(clock, *this, cors, limits);
    std::function<void(Exchange &)> on_request, on_complete;
    std::function<void()> on_gone;
    Request last;
    Exchange *parked = nullptr;
    int requests = 0, completed = 0, lost = 0;
};

}  // namespace bridge::http
