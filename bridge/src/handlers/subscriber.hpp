// One who only listens, over plain HTTP: an event stream or a long-poll. Its Gate says what it may hear; then it is a session of the
// hub without a row in the database: the cursor that it comes back with is all that is needed, on any bridge.
//
//   asking ──allowed──▶ catching up ──everything given──▶ live ──expired, revoked, in no room any more──▶ ended
//     │  ▲──decision too old──┘│
//     └──refused──▶ ended ◀────┘
//
// No wire format here: what is written is the Owner's, which is transport's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/protocol.hpp"
#include "handlers/gate.hpp"
#include "hub/sink.hpp"
#include "loop/wheel.hpp"

namespace bridge::handlers {

class Subscriber {
public:
    class Owner {
    public:
        virtual ~Owner() = default;
        // Nothing was sent and nothing will be. The Subscriber may be destroyed in this call.
        virtual void refused(const Error &error, std::string_view correlation_id) = 0;
        // It may listen. False: the owner has what it wanted; the Subscriber may be destroyed in this call.
        virtual bool granted(const Grant &grant) = 0;
        // What goes out before the first event; null: nothing.
        virtual hub::FramePtr greeting(const Grant &grant) = 0;
        // Everything that was missed has been sent; from now on it hears what happens.
        virtual void live() = 0;
        // Why the connection, which is live, ends now; null: nothing more is sent.
        virtual hub::FramePtr farewell(const Error &error) = 0;
    };

    // paged: it takes a part of what it missed and comes back for more, so nothing is too much.
    Subscriber(Services &services, Owner &owner, Protocol protocol, bool paged);
    ~Subscriber();
    Subscriber(const Subscriber &) = delete;
    Subscriber &operator=(const Subscriber &) = delete;

    void open(hub::Sink &sink);  // first of all
    void start(std::unique_ptr<Gate> gate);
    void start(std::unique_ptr<Gate> gate, Grant grant);  // which was asked already
    // The connection ends or has ended: nothing more is begun. `reason` is the metric label.
    void stop(std::string_view reason);
    void closed();  // after stop(): the hub forgets it

    void evicted();
    void revoke();

    ConnectionId id() const { return id_; }
    bool is_live() const { return state_ == State::live; }
    std::string cursor() const;                                       // where it stands, once it is live; empty before
    bool drained() const { return services_.hub.drained(session_); }  // nothing is on its way to it

private:
    enum class State : std::uint8_t { asking, catching_up, live, ended };

    void ask(std::string must_refetch);
    void answered(std::uint32_t serial, std::string must_refetch, Result<Grant> grant, std::string_view correlation_id);
    void begin(Grant grant);
    void catch_up(Grant grant);
    void caught_up(Grant &grant, const hub::HistoryOutcome &outcome);
    void enter(const Grant &grant);
    void go_live(const Grant &grant);
    void again(const std::string &must_refetch, std::string_view correlation_id);
    void refuse(const Error &error, std::string_view correlation_id);
    void end(const Error &error);
    void fire();
    void arm();

    struct Alarm : loop::Wheel::Entry {
        explicit Alarm(Subscriber &owner);
        Subscriber &owner;
    };

    Services &services_;
    Owner &owner_;
    std::unique_ptr<Gate> gate_;  // until it is live
    ConnectionId id_;
    SessionId session_;
    std::int64_t opened_at_ = 0, expires_at_ = 0;  // monotonic ms; 0: never
    std::uint32_t serial_ = 0;                     // of the question: a late answer to an older one is ignored
    Protocol protocol_;
    State state_ = State::asking;
    bool paged_;
    bool by_policies_ = false;  // Gate::by_policies()
    std::uint8_t tries_ = 3;
    Alarm alarm_;
};

}  // namespace bridge::handlers
