#include "control.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <utility>

namespace bench {

Control::Control(bridge::loop::Loop &loop, std::uint16_t port, OnPayload on_payload)
    : loop_(loop), on_payload_(std::move(on_payload)), listening_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const int one = 1;
    setsockopt(listening_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listening_, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 || listen(listening_, 4) != 0) {
        ::close(listening_);
        throw std::runtime_error("cannot listen on port " + std::to_string(port));
    }
    accepting_ = loop_.watch(listening_, [this](unsigned) { accept_one(); });
    accepting_->want(bridge::loop::kReadable);
}

Control::~Control() {
    hang_up();
    accepting_.reset();
    ::close(listening_);
}

// One feeder at a time; a new one takes over.
void Control::accept_one() {
    const int fd = accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    hang_up();
    fd_ = fd;
    reading_ = loop_.watch(fd_, [this](unsigned) { read_some(); });
    reading_->want(bridge::loop::kReadable);
}

void Control::read_some() {
    static char bytes[65'536];
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return hang_up();
    partial_.append(bytes, static_cast<std::size_t>(got));
    std::size_t from = 0;
    for (std::size_t end; (end = partial_.find('\0', from)) != std::string::npos; from = end + 1)
        on_payload_(std::string_view(partial_).substr(from, end - from));
    partial_.erase(0, from);
}

void Control::hang_up() {
    reading_.reset();
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    partial_.clear();
}

}  // namespace bench
