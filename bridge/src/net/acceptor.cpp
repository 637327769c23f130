// Plain BSD sockets; see acceptor.hpp.
#include "net/acceptor.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "base/log.hpp"

namespace bridge::net {

namespace {

constexpr int kAcceptsPerTurn = 256;
constexpr int kBacklog = 4096;

void set(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

std::uint16_t port_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (getsockname(fd, reinterpret_cast<sockaddr *>(&address), &size) != 0) return 0;
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6 *>(&address)->sin6_port
                                               : reinterpret_cast<sockaddr_in *>(&address)->sin_port);
}

std::string ip_of(const sockaddr_storage &address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET) {
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in &>(address).sin_addr, text.data(), text.size());
    } else if (address.ss_family == AF_INET6) {
        const in6_addr &six = reinterpret_cast<const sockaddr_in6 &>(address).sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&six)) {
            inet_ntop(AF_INET, &six.s6_addr[12], text.data(), text.size());
        } else {
            inet_ntop(AF_INET6, &six, text.data(), text.size());
        }
    }
    return text.data();
}

}  // namespace

Acceptor::Acceptor(loop::Loop &loop, const std::string &host, std::uint16_t port, int send_buffer, OnAccept on_accept)
    : loop_(loop), on_accept_(std::move(on_accept)), pause_(loop.timer()) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo *found = nullptr;
    const std::string where = host + ":" + std::to_string(port);
    if (const int status = getaddrinfo(host.empty() ? nullptr : host.c_str(), std::to_string(port).c_str(), &hints, &found); status != 0) {
        throw std::runtime_error("cannot listen on " + where + ": " + gai_strerror(status));
    }
    std::string why = "no address";
    for (addrinfo *one = found; one != nullptr && fd_ < 0; one = one->ai_next) {
        const int fd = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, one->ai_protocol);
        if (fd < 0) {
            why = std::strerror(errno);
            continue;
        }
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        set(fd, SOL_SOCKET, SO_SNDBUF, send_buffer);  // else the kernel hides megabytes for each slow client
        set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        if (bind(fd, one->ai_addr, one->ai_addrlen) == 0 && listen(fd, kBacklog) == 0) {
            fd_ = fd;
        } else {
            why = std::strerror(errno);
            ::close(fd);
        }
    }
    freeaddrinfo(found);
    if (fd_ < 0) throw std::runtime_error("cannot listen on " + where + ": " + why);
    port_ = port_of(fd_);
}

Acceptor::~Acceptor() {
    watch_.reset();
    if (fd_ >= 0) ::close(fd_);
}

void Acceptor::start() {
    watch_ = loop_.watch(fd_, [this](unsigned) { accept_some(); });
    watch_->want(loop::kReadable);
}

void Acceptor::finish() {
    while (accept_one()) {}
    pause_->stop();
    watch_.reset();
    ::close(std::exchange(fd_, -1));
}

void Acceptor::accept_some() {
    for (int n = 0; n < kAcceptsPerTurn && accept_one(); ++n) {}
}

bool Acceptor::accept_one() {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const int fd = accept4(fd_, reinterpret_cast<sockaddr *>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        on_accept_(fd, ip_of(address));
        return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) return true;
    // Out of descriptors or memory: the backlog waits, or the loop would spin on a listener that stays readable.
    log::warn("accept failed, pausing", {{"reason", std::strerror(errno)}});
    watch_->want(loop::kNone);
    pause_->once(std::chrono::milliseconds(100), [this] { watch_->want(loop::kReadable); });
    return false;
}

}  // namespace bridge::net
