// What a client sends over a WebSocket (RFC 6455): bytes in whatever pieces the network made of them become messages and control
// frames. Strict: the first thing that is not allowed is said with the close code that it deserves. Pure; holds 8 bytes for a
// connection of which nothing is half received.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace bridge::codec {

class WebsocketReader {
public:
    enum class Kind : std::uint8_t {
        nothing,  // all bytes are taken, and more are needed
        text,
        binary,
        ping,
        pong,
        close,      // `code`: the peer's, 1005 when it gave none
        violation,  // `code`: 1002, 1007 or 1009; `payload` says what. Read no further.
    };
    struct Incoming {
        Kind kind = Kind::nothing;
        std::string_view payload{};  // in `scratch`, until the next call
        std::uint16_t code = 0;
    };

    WebsocketReader() noexcept;
    ~WebsocketReader();
    WebsocketReader(WebsocketReader &&) noexcept;
    WebsocketReader &operator=(WebsocketReader &&) noexcept;

    // Takes bytes off the front of `in`, up to the end of one message or control frame. `scratch` may be shared by all connections
    // of a thread. A message of more than `max_message` bytes is refused as soon as it is announced.
    Incoming next(std::string_view &in, std::size_t max_message, std::string &scratch);
    bool idle() const { return partial_ == nullptr; }

private:
    struct Header;
    struct Partial;  // what is half received
    Partial &partial();
    Incoming header(std::string_view &in, std::size_t max_message, Header &out);
    Incoming whole(const Header &header, std::string_view &in, std::string &scratch);
    Incoming piece(std::string_view &in, std::string &scratch);
    void forget_if_idle();

    std::unique_ptr<Partial> partial_;
};

}  // namespace bridge::codec
