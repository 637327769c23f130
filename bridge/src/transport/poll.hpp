// GET /poll: a request that waits for events (docs/reference/poll.md). It is a session of the hub like any other while it waits, so what
// happens costs one encoding for all who wait for it, and the answer goes out in the turn in which it happens.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "codec/poll.hpp"
#include "handlers/subscriber.hpp"
#include "hub/sink.hpp"
#include "transport/key_waits.hpp"
#include "transport/listening.hpp"
#include "transport/parked.hpp"

namespace bridge::transport {

class Polls;

class Poll final : public hub::Sink, public handlers::Subscriber::Owner, public http::Watcher {
public:
    Poll(Polls &all, http::Exchange &exchange, bool has_cursor, std::int64_t until);
    ~Poll() override;
    Poll(const Poll &) = delete;
    Poll &operator=(const Poll &) = delete;

    handlers::Subscriber &subscriber() { return subscriber_; }

    // http::Watcher
    void complete(http::Exchange &exchange) override;
    void gone(http::Exchange &exchange) override;
    // hub::Sink
    Write write(std::string_view bytes) override;
    void request_writable() override {}
    void close(Errc why) override;
    // handlers::Subscriber::Owner
    void refused(const Error &error, std::string_view correlation_id) override;
    bool granted(const handlers::Grant &grant) override;
    hub::FramePtr greeting(const handlers::Grant &) override { return nullptr; }
    void live() override;
    hub::FramePtr farewell(const Error &error) override;

    std::size_t place = 0;
    bool over = false;

private:
    void answer(http::Reply reply);
    void give(std::string_view stands_at);  // what has been collected; empty: up to the last of it
    void nothing(const std::string &cursor);
    void fire();
    std::string_view last() const;  // the cursor of the last event collected

    struct Alarm : loop::Wheel::Entry {
        explicit Alarm(Poll &owner);
        Poll &owner;
    };

    Polls &all_;
    http::Exchange *exchange_;  // until it is answered
    std::string lines_;
    std::size_t events_ = 0;
    std::int64_t until_;  // monotonic ms
    bool has_cursor_;
    bool counted_ = false;  // among those that wait
    std::unique_ptr<Error> ends_with_;
    Alarm alarm_;
    handlers::Subscriber subscriber_;
};

class Polls {
public:
    explicit Polls(handlers::Services &services) : services_(services), key_waits_(services), polls_(services.deadlines) {}

    void request(http::Exchange &exchange);
    void drain() { draining_ = true; }
    std::size_t waiting() const { return polls_.size(); }

private:
    friend class Poll;
    void admit(http::Exchange &exchange);

    handlers::Services &services_;
    bool draining_ = false;
    KeyWaits key_waits_;
    Parked<Poll> polls_;
};

}  // namespace bridge::transport
