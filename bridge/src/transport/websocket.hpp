// A WebSocket over a net::Stream: the answer to the handshake, frames in, pings answered, and the way it closes. What its messages mean
// is its User's. Frames out are made elsewhere and written whole, past it where that is possible: stream().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/alive.hpp"
#include "codec/websocket_reader.hpp"
#include "http/reply.hpp"
#include "http/request.hpp"
#include "net/stream.hpp"

namespace bridge::transport {

class WebSocket final : net::Stream::User {
public:
    // The User may destroy the WebSocket inside any call that it gets.
    class User {
    public:
        virtual void message(std::string_view payload, bool binary) = 0;
        virtual void pong() = 0;
        virtual void writable() = 0;                     // once after request_writable()
        virtual void violation(std::uint16_t code) = 0;  // the peer broke the protocol; nothing more is read. Close with this code.
        virtual void ended() = 0;                        // the peer closed it, or is gone. The last call.

    protected:
        ~User() = default;
    };

    WebSocket(net::StreamPtr stream, std::size_t max_message, User &user);
    ~WebSocket() override = default;
    WebSocket(const WebSocket &) = delete;
    WebSocket &operator=(const WebSocket &) = delete;

    void use(User &user) { user_ = &user; }  // from now on
    // Bytes that came before the stream was its own.
    void received(std::string_view bytes) override;

    net::Stream &stream() { return *stream_; }  // until close() is true
    void request_writable();
    // Sends the close frame and lets the stream go; false: the stream still holds something back, try again in writable().
    // Code 1005: a close frame without any.
    bool close(std::uint16_t code, std::string_view reason);

private:
    void writable() override;
    void ended() override;
    bool pong(std::string_view payload);

    net::StreamPtr stream_;
    User *user_;
    codec::WebsocketReader reader_;
    std::unique_ptr<std::string> unanswered_;  // the payload of the last ping, while the stream is choked
    Alive alive_;
    std::uint32_t max_message_;
    bool deaf_ = false;
    bool user_waits_ = false;
};

// RFC 6455 §4.2.1: why this is no handshake; nullopt: go on. Pure.
std::optional<http::Reply> refuse_handshake(const http::Request &request);

// The subprotocols that the client offers, in its order.
std::vector<std::string_view> offered_subprotocols(const http::Request &request);

// The 101. `subprotocol` empty: none.
std::string handshake_answer(const http::Request &request, std::string_view subprotocol);

}  // namespace bridge::transport
