// One WebSocket: assembles messages, keeps the heartbeat, and is the hub's Sink. It turns bytes into codec::Inbound for its
// handlers::Client and knows no room and no rule. Made before the 101, dies when libwebsockets says CLOSED.
//
//   heartbeat (Engine.IO packets, or RFC 6455 pings on the native protocol):
//   open ──interval──▶ ping sent ──pong──▶ waiting ──interval──▶ ping sent …       ping sent ──timeout──▶ closed
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "codec/socketio.hpp"
#include "handlers/client.hpp"
#include "hub/sink.hpp"
#include "loop/wheel.hpp"

struct lws;

namespace bridge::transport {

struct SocketOptions {
    std::int64_t ping_interval = 25'000;  // ms
    std::int64_t ping_timeout = 20'000;
    std::size_t max_payload = 1'000'000;
};

class Socket final : public hub::Sink {
public:
    Socket(handlers::Services &services, const SocketOptions &options, Protocol protocol, handlers::Peer peer);
    ~Socket() override;
    Socket(const Socket &) = delete;
    Socket &operator=(const Socket &) = delete;

    // libwebsockets' callbacks, in this order. receive() and the others return what the callback returns.
    void established(lws *wsi);
    int receive(const char *bytes, std::size_t size);
    void pong();
    int writable();
    int peer_closing();
    void closed();
    bool is_established() const { return wsi_ != nullptr; }

    // hub::Sink
    void write_soon() override;
    Write write(std::string_view bytes) override;
    void request_writable() override;
    void close(Errc why) override;

private:
    void message(std::string_view text, bool binary);
    void engineio(std::string_view text, bool binary);
    void native(std::string_view text, bool binary);
    Write broken();
    void fail(Errc why);
    bool too_late() const;
    void beat();

    struct Heart : loop::Wheel::Entry {
        explicit Heart(Socket &owner);
        Socket &owner;
    };

    handlers::Services &services_;
    const SocketOptions &options_;
    lws *wsi_ = nullptr;
    int fd_ = -1;  // for writing past libwebsockets; -1 when TLS is between
    ConnectionId id_;
    Protocol protocol_;
    bool awaiting_pong_ = false;
    bool deaf_ = false;     // what still comes in is dropped
    bool closing_ = false;  // nothing goes out any more but what is waiting and then the close frame
    bool close_sent_ = false;
    Errc closing_with_ = Errc::shutting_down;
    bool broken_ = false;
    std::string_view end_reason_ = "client_close";  // metric label
    std::int64_t deadline_ = 0;                     // of the ping to send, or of the pong to come
    std::string partial_;
    codec::socketio::Decoder decoder_;
    handlers::Client client_;
    Heart heart_;
};

}  // namespace bridge::transport
