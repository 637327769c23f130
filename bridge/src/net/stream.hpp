// One accepted connection, plain or TLS: bytes in pushed to whoever uses it now, bytes out taken whole or not at all. It knows no HTTP
// and no WebSocket; what a connection is, is said by its User, and changes when a request becomes something else.
// All on the loop's thread. A Stream never calls its User inside a call of that User; the User may destroy the Stream at any time, also
// inside a call that it gets.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "loop/loop.hpp"

namespace bridge::net {

class Goodbye;
class TlsSession;

class Stream final : private loop::Poller::Entry {
public:
    class User {
    public:
        virtual ~User() = default;
        virtual void received(std::string_view bytes) = 0;  // valid during the call; the User keeps what it has no use for yet
        virtual void writable() = 0;                        // once for each request_writable(), when the Stream holds nothing back
        virtual void ended() = 0;                           // the peer closed its side or is gone: nothing comes any more. The last call.
    };
    // Counts those that are open.
    class Counter {
    public:
        virtual ~Counter() = default;
        virtual void closed(const Stream &stream) = 0;  // its descriptor is closed; called by its destructor
    };
    enum class Write {
        taken,   // all of it: with the kernel, or its rest kept here
        choked,  // nothing: the rest of an earlier one is still here; request_writable()
        failed,  // the connection is dead: ended() follows
    };

    // Owns the descriptor, which is non-blocking. `tls` null: plain.
    Stream(loop::Loop &loop, int fd, std::string ip, bool internal, std::unique_ptr<TlsSession> tls);
    ~Stream() override;  // closes at once; what it holds back is lost. See close_after_writing().
    Stream(const Stream &) = delete;
    Stream &operator=(const Stream &) = delete;

    void use(User &user);  // from now on

    Write write(std::string_view bytes);
    bool holds_back() const { return rest_ != nullptr; }
    void request_writable();

    // While paused no received() comes, but ended() still does when the peer is gone for good.
    void pause() { paused_ = true; }
    void resume();

    void count_by(Counter &counter) { counter_ = &counter; }

    const std::string &ip() const { return ip_; }
    bool internal() const { return internal_; }  // came in by the internal listener
    bool encrypted() const { return tls_ != nullptr; }
    void prefetch() const {  // a write() follows very soon
        __builtin_prefetch(this);
        __builtin_prefetch(&failed_);
    }

private:
    friend class Goodbye;
    friend void close_after_writing(std::unique_ptr<Stream> stream);
    struct Rest {
        std::string bytes;
        std::size_t sent = 0;
    };
    struct Moved {  // by one system call
        enum { some, none, over, failed } what;
        std::size_t bytes = 0;
    };

    void ready(unsigned what) override;
    void handle(unsigned what);
    bool read_some();  // false: the stream is gone
    Moved receive(char *into, std::size_t size);
    Moved send(std::string_view bytes);
    bool flush();  // of rest_; false: it failed
    std::size_t held_back() const { return rest_ == nullptr ? 0 : rest_->bytes.size() - rest_->sent; }
    void fail();
    bool end();
    void shut_down();

    // What a write() reads comes first, so that prefetch() brings all of it.
    std::unique_ptr<Rest> rest_;
    std::unique_ptr<TlsSession> tls_;
    int fd_;
    bool failed_ = false;
    bool internal_;
    bool paused_ = false;
    bool readable_ = false;  // there was more when it was paused, or when it had its share
    bool over_ = false;      // the peer closed its side: what is left is to be read up to its end
    bool wants_writable_ = false;
    bool shut_down_ = false;  // nothing is written any more
    bool ended_ = false;      // the User knows
    loop::Poller &poller_;
    User *user_ = nullptr;
    Counter *counter_ = nullptr;
    std::string ip_;
};
using StreamPtr = std::unique_ptr<Stream>;

// Gives the peer what is still held back and a moment to read it (an answer followed by a reset is lost), then closes. Bounded in time,
// and in number: beyond kMostGoodbyes closing is abrupt.
inline constexpr std::size_t kMostGoodbyes = 1024;
void close_after_writing(StreamPtr stream);

}  // namespace bridge::net
