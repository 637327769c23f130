// GET /sse, and the paths of pulse.stream: a request that becomes a text/event-stream (docs/reference/sse.md). Until something is to be
// sent it stays a request, so that every refusal has a status; then its stream is taken over and written to as the hub's Sink.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include <prometheus/gauge.h>

#include "handlers/subscriber.hpp"
#include "hub/sink.hpp"
#include "net/stream.hpp"
#include "transport/key_waits.hpp"
#include "transport/listening.hpp"
#include "transport/parked.hpp"

namespace bridge::transport {

struct SseOptions {
    std::chrono::milliseconds retry{3'000};  // after which a client comes back
    std::int64_t ping_interval = 25'000;     // ms
};

class Sse;

class EventStream final : public hub::Sink, public handlers::Subscriber::Owner, public http::Watcher, public net::Stream::User {
public:
    EventStream(Sse &all, http::Exchange &exchange);
    ~EventStream() override;
    EventStream(const EventStream &) = delete;
    EventStream &operator=(const EventStream &) = delete;

    handlers::Subscriber &subscriber() { return subscriber_; }

    // http::Watcher
    void complete(http::Exchange &exchange) override;
    void gone(http::Exchange &exchange) override;
    // net::Stream::User
    void received(std::string_view bytes) override;
    void writable() override;
    void ended() override;
    // hub::Sink
    void write_soon() override;
    Write write(std::string_view bytes) override;
    void request_writable() override;
    void close(Errc why) override;
    // handlers::Subscriber::Owner
    void refused(const Error &error, std::string_view correlation_id) override;
    bool granted(const handlers::Grant &grant) override;
    hub::FramePtr greeting(const handlers::Grant &grant) override;
    void live() override;
    hub::FramePtr farewell(const Error &error) override;

    std::size_t place = 0;
    bool over = false;

private:
    void beat();
    void finish();

    struct Heart : loop::Wheel::Entry {
        explicit Heart(EventStream &owner);
        EventStream &owner;
    };

    Sse &all_;
    http::Exchange *exchange_;  // until it has become a stream or was answered
    net::StreamPtr stream_;
    prometheus::Gauge *gauge_ = nullptr;  // of open streams with its label
    bool counted_ = false;                // in it
    bool closing_ = false;
    Heart heart_;
    handlers::Subscriber subscriber_;
};

class Sse {
public:
    Sse(handlers::Services &services, const SseOptions &options, const http::Cors &cors);

    void request(http::Exchange &exchange);
    // One that was let in already; Gate: to ask again.
    void serve(http::Exchange &exchange, std::unique_ptr<handlers::Gate> gate, handlers::Grant grant);
    void drain() { draining_ = true; }  // nobody new; those that are here are told by the hub
    std::size_t open() const { return streams_.size(); }

private:
    friend class EventStream;
    void admit(http::Exchange &exchange);
    void refuse(http::Exchange &exchange, http::Reply reply);
    const hub::FramePtr &ping(std::string cursor);

    handlers::Services &services_;
    const SseOptions options_;
    const http::Cors &cors_;
    bool draining_ = false;
    std::string ping_at_;  // the cursor of the last heartbeat: most streams stand at the same
    hub::FramePtr ping_;
    KeyWaits key_waits_;
    Parked<EventStream> streams_;
};

}  // namespace bridge::transport
