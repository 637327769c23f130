// A stream on one end of a socketpair, the test on the other.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <string_view>

#include "net/stream.hpp"
#include "net/tls.hpp"

namespace bridge::net {

class Peer {
public:
    explicit Peer(int fd) : fd_(fd) {}
    Peer(Peer &&other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    ~Peer() { hang_up(); }
    Peer(const Peer &) = delete;

    void say(std::string_view bytes) const { ASSERT_WRITTEN(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), bytes.size()); }
    void finish() const { ::shutdown(fd_, SHUT_WR); }
    void hang_up() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    // What is there; "<end>" behind it when nothing more will come.
    std::string hear() const {
        std::string out;
        char bytes[65536];
        for (;;) {
            const ssize_t got = ::recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
            if (got > 0) {
                out.append(bytes, static_cast<std::size_t>(got));
                continue;
            }
            return got == 0 ? out + "<end>" : out;
        }
    }

private:
    static void ASSERT_WRITTEN(ssize_t written, std::size_t size) {
        if (written != static_cast<ssize_t>(size)) std::abort();
    }
    int fd_;
};

struct Connected {
    StreamPtr stream;
    Peer peer;
};
inline Connected connect(loop::Loop &loop, int send_buffer = 0) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    if (send_buffer > 0) setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    return {std::make_unique<Stream>(loop, ends[0], "192.0.2.1", false, nullptr), Peer(ends[1])};
}

inline void turns(loop::Loop &loop, int count = 6) {
    for (int n = 0; n < count; ++n) loop.run_once();
}

struct Recorder : Stream::User {
    void received(std::string_view bytes) override {
        heard += bytes;
        if (on_received) on_received();
    }
    void writable() override {
        ++writables;
        if (on_writable) on_writable();
    }
    void ended() override {
        ++ends;
        if (on_ended) on_ended();
    }
    std::string heard;
    int writables = 0, ends = 0;
    std::function<void()> on_received, on_writable, on_ended;
};

}  // namespace bridge::net
