// A connection of the hub that lives on a WebSocket: its client, its heartbeat, and how it ends. What goes over it is said by those
// who derive from it: native.cpp, engineio_session.cpp.
//
//   heartbeat:  open ──interval──▶ ping sent ──pong──▶ waiting ──interval──▶ ping sent …       ping sent ──timeout──▶ closed
//   closing:    close() ──what waits is written──▶ close frame ──▶ over.  Bounded by kCloseWait.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "handlers/client.hpp"
#include "hub/sink.hpp"
#include "loop/wheel.hpp"
#include "net/admission.hpp"
#include "transport/websocket.hpp"

namespace bridge::transport {

struct SessionOptions {
    std::int64_t ping_interval = 25'000;  // ms
    std::int64_t ping_timeout = 20'000;
    std::size_t max_payload = 1'000'000;
    std::size_t max_sessions = 100'000;
    net::AdmissionOptions polling{};  // whose polling sessions: they outlive their connections
    bool engineio_echo = false;       // a raw Engine.IO endpoint that sends back what it gets: for conformance suites
};

class Session : public hub::Sink, protected WebSocket::User {
public:
    static constexpr std::int64_t kCloseWait = 2'000;  // ms for what waits, and the close frame, to be taken

    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;

    // hub::Sink
    void write_soon() override;
    Write write(std::string_view frames) override;
    void request_writable() override;
    void close(Errc why) override;

protected:
    Session(handlers::Services &services, const SessionOptions &options, Protocol protocol, handlers::Peer peer,
            std::string_view transport);
    ~Session() override;

    // WebSocket::User
    void pong() override;
    void writable() override;
    void violation(std::uint16_t code) override;
    void ended() override;

    virtual const hub::FramePtr &ping_frame() const = 0;
    virtual void over() = 0;  // nobody knows it any more: destroy it

    void take(std::unique_ptr<WebSocket> socket);  // from now on it goes by this
    void take(net::StreamPtr stream);
    void begin_heartbeat();
    bool too_late(std::int64_t rounding = 0) const;  // the heartbeat has failed, whether or not the timer has seen it
    void fail(Errc why);                             // no more is taken from the client; the hub ends it
    void end();                                      // now: leave_hub() and over()
    virtual void leave_hub();                        // tells the client and the hub
    virtual void beat();                             // the heart's alarm
    void alarm(std::int64_t due) { services_.deadlines.arm(heart_, due); }
    std::int64_t now() const { return services_.deadlines.now(); }

    // From here to over_: what each delivery reads, in one line of the cache.
    handlers::Services &services_;
    const SessionOptions &options_;
    std::unique_ptr<WebSocket> socket_;
    net::Stream *stream_ = nullptr;  // of socket_, for the fan-out; null when frames do not go straight there
    ConnectionId id_;
    Protocol protocol_;
    bool base64_frames_ = false;  // the WebSocket takes no binary frames, though they are made for it
    bool awaiting_pong_ = false;
    bool deaf_ = false;     // what still comes in is dropped
    bool closing_ = false;  // nothing is sent any more but what waits, and then the close frame
    bool over_ = false;     // the close frame is sent: end() at the next alarm
    Errc closing_with_ = Errc::shutting_down;
    std::string_view end_reason_ = "client_close";  // metric label
    std::int64_t deadline_ = 0;                     // of the ping to send, or of the pong to come
    handlers::Client client_;

private:
    void say_goodbye();
    bool peer_reads() const { return closing_with_ != Errc::slow_client && closing_with_ != Errc::ping_timeout; }

    struct Heart : loop::Wheel::Entry {
        explicit Heart(Session &session);
        Session &owner;
    };
    Heart heart_;
};

// What the request that opens a session says of its client.
handlers::Peer peer_of(const http::Request &request);

}  // namespace bridge::transport
