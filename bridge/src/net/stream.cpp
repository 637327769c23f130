// See stream.hpp. The poller tells of edges, so what is not read or written at once is remembered here.
#include "net/stream.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <utility>

#include "base/log.hpp"
#include "net/tls.hpp"

namespace bridge::net {

namespace {
constexpr std::size_t kShare = 262'144;  // bytes that one connection may bring in one go; then the others have their turn
}

Stream::Stream(loop::Loop &loop, int fd, std::string ip, bool internal, std::unique_ptr<TlsSession> tls)
    : tls_(std::move(tls)), fd_(fd), internal_(internal), poller_(loop.poller()), ip_(std::move(ip)) {
    if (!poller_.add(fd, *this)) fail();
}

Stream::~Stream() {
    poller_.remove(*this);
    if (tls_ != nullptr) tls_->say_goodbye();
    ::close(fd_);
    if (counter_ != nullptr) counter_->closed(*this);
}

void Stream::use(User &user) {
    user_ = &user;
    if (readable_ || failed_) poller_.later(*this);
}

void Stream::resume() {
    paused_ = false;
    if (readable_) poller_.later(*this);
}

// ---- bytes out

Stream::Moved Stream::send(std::string_view bytes) {
    if (tls_ == nullptr) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) return {Moved::some, static_cast<std::size_t>(sent)};
        return {errno == EAGAIN || errno == EINTR ? Moved::none : Moved::failed};
    }
    const TlsSession::Outcome outcome = tls_->write(bytes);
    switch (outcome.state) {
        case TlsSession::Outcome::done: return {Moved::some, bytes.size()};
        case TlsSession::Outcome::want_read:
        case TlsSession::Outcome::want_write: return {outcome.bytes > 0 ? Moved::some : Moved::none, outcome.bytes};
        default: return {Moved::failed};
    }
}

Stream::Write Stream::write(std::string_view bytes) {
    if (failed_) return Write::failed;
    if (rest_ != nullptr) return Write::choked;
    const Moved moved = send(bytes);
    if (moved.what == Moved::failed) {
        fail();
        return Write::failed;
    }
    if (moved.bytes < bytes.size()) rest_ = std::make_unique<Rest>(Rest{std::string(bytes.substr(moved.bytes)), 0});
    return Write::taken;
}

bool Stream::flush() {
    while (rest_ != nullptr) {
        const Moved moved = send(std::string_view(rest_->bytes).substr(rest_->sent));
        if (moved.what == Moved::failed) {
            rest_.reset();
            return false;
        }
        if (moved.what == Moved::none) return true;
        rest_->sent += moved.bytes;
        if (rest_->sent == rest_->bytes.size()) rest_.reset();
    }
    return true;
}

void Stream::request_writable() {
    wants_writable_ = true;
    if (rest_ == nullptr) poller_.later(*this);
}

void Stream::fail() {
    failed_ = true;
    poller_.later(*this);
}

void Stream::shut_down() {
    if (tls_ != nullptr) tls_->say_goodbye();
    ::shutdown(fd_, SHUT_WR);
    shut_down_ = true;
}

// ---- bytes in

Stream::Moved Stream::receive(char *into, std::size_t size) {
    if (tls_ == nullptr || shut_down_) {  // behind a goodbye nothing is decrypted any more, only dropped
        const ssize_t got = ::recv(fd_, into, size, MSG_DONTWAIT);
        if (got > 0) return {Moved::some, static_cast<std::size_t>(got)};
        if (got == 0) return {Moved::over};
        return {errno == EAGAIN || errno == EINTR ? Moved::none : Moved::failed};
    }
    const TlsSession::Outcome outcome = tls_->read(into, size);
    switch (outcome.state) {
        case TlsSession::Outcome::done: return {Moved::some, outcome.bytes};
        case TlsSession::Outcome::want_read:
        case TlsSession::Outcome::want_write: return {Moved::none};
        case TlsSession::Outcome::closed: return {Moved::over};
        default: return {Moved::failed};
    }
}

bool Stream::end() {
    if (std::exchange(ended_, true)) return true;
    wants_writable_ = false;
    const auto &poller = poller_;  // this object may be gone
    user_->ended();
    return poller.runs(this);
}

bool Stream::read_some() {
    const auto &poller = poller_;  // this object may be gone
    const std::span<char> buffer = poller_.buffer();
    std::size_t read = 0;
    readable_ = false;  // until there is more than is read here
    while (!ended_) {
        if (paused_ || read >= kShare) {
            readable_ = true;
            if (!paused_) poller_.later(*this);
            return true;
        }
        const Moved moved = receive(buffer.data(), buffer.size());
        if (moved.what == Moved::none) break;
        if (moved.what != Moved::some) return end();
        read += moved.bytes;
        user_->received({buffer.data(), moved.bytes});
        if (!poller.runs(this)) return false;
        // A plain socket that gave less than there was room for is empty, and will say so when it is not any more.
        if (tls_ == nullptr && moved.bytes < buffer.size() && !over_) break;
    }
    return true;
}

// What goes wrong in the bridge's own code ends this one connection.
void Stream::ready(unsigned what) {
    const auto &poller = poller_;  // this object may be gone
    const auto failed = [&](const char *why) {
        log::error("a connection failed", {{"reason", why}});
        if (poller.runs(this)) fail();
    };
    try {
        handle(what);
    } catch (const std::exception &error) {
        failed(error.what());
    } catch (...) {
        failed("unknown exception");
    }
}

void Stream::handle(unsigned what) {
    using Poller = loop::Poller;
    if (user_ == nullptr) {  // use() looks after it
        readable_ = true;
        over_ = over_ || (what & (Poller::kPeerClosed | Poller::kGone)) != 0;
        return;
    }
    if (failed_) {
        end();
        return;
    }
    if ((what & (Poller::kPeerClosed | Poller::kGone)) != 0) over_ = true;
    // TLS may have to read before it can write, and the other way round.
    if (over_ || (what & Poller::kReadable) != 0 || tls_ != nullptr) readable_ = true;
    if (rest_ != nullptr && (tls_ != nullptr || (what & (Poller::kWritable | Poller::kGone)) != 0) && !flush()) {
        failed_ = true;
        end();
        return;
    }
    if (readable_) {
        if (paused_ && (what & Poller::kGone) != 0) {
            end();
            return;
        }
        if (!paused_ && !read_some()) return;
    }
    if (wants_writable_ && rest_ == nullptr) {
        wants_writable_ = false;
        user_->writable();
    }
}

// ---- closing

namespace {
constexpr auto kPatience = std::chrono::seconds(2);  // with a peer that takes nothing, or does not hang up
constexpr int kMostPatience = 15;                    // times that, with one that takes a little
}  // namespace

// Its end of input, or of patience, closes it. What still comes is read and dropped, or the kernel would answer it with a reset, which
// takes the answer back that the peer has not read yet.
class Goodbye final : public Stream::User, public loop::Poller::Orphan {
public:
    Goodbye(loop::Poller &poller, StreamPtr stream)
        : poller_(poller), over_(stream->ended_), timer_(poller.loop().timer()), held_back_(stream->held_back()),
          stream_(std::move(stream)) {
        stream_->wants_writable_ = false;
        stream_->use(*this);
        stream_->resume();
        timer_->every(kPatience, [this] { look(); });
        if (stream_->holds_back()) {
            stream_->request_writable();
        } else {
            stream_->shut_down();
        }
    }
    void received(std::string_view) override {}
    void writable() override {
        if (over_) return poller_.end(*this);
        stream_->shut_down();
    }
    void ended() override {
        if (!stream_->holds_back()) return poller_.end(*this);
        over_ = true;
        stream_->request_writable();
    }

private:
    void look() {
        const std::size_t before = std::exchange(held_back_, stream_->held_back());
        if (++looks_ == kMostPatience || held_back_ == before) poller_.end(*this);
    }

    loop::Poller &poller_;
    bool over_;  // nothing comes any more; what is held back may still go
    std::unique_ptr<loop::Timer> timer_;
    std::size_t held_back_;
    int looks_ = 0;
    StreamPtr stream_;
};

void close_after_writing(StreamPtr stream) {
    if (stream->failed_ || (stream->ended_ && !stream->holds_back())) return;
    loop::Poller &poller = stream->poller_;
    if (poller.orphans() >= kMostGoodbyes) return;
    poller.adopt(std::make_unique<Goodbye>(poller, std::move(stream)));
}

}  // namespace bridge::net
