// Thousands of clients, see fleet.hpp.
#include "client/fleet.hpp"

#include "client/protocol.hpp"
#include "client/token.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

namespace bench {

namespace {

// The number after `"seq":`, or -1.
int64_t find_seq(std::string_view text) {
    const size_t at = text.find("\"seq\":");
    if (at == std::string_view::npos) return -1;
    int64_t value = 0;
    size_t i = at + 6;
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) value = value * 10 + (text[i] - '0');
    return value;
}

// The position of the cursor `"epoch:position"]` that ends an event, or -1.
int64_t find_position(std::string_view text) {
    if (!text.ends_with("\"]")) return -1;
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || text.size() - colon > 24) return -1;
    int64_t value = 0;
    for (size_t i = colon + 1; i < text.size() - 2; ++i) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

std::string errno_text(const char *call) { return std::string(call) + ": " + std::strerror(errno); }

}  // namespace

void Socket::on_ready(uint32_t events) { fleet.on_socket(*this, events); }

Fleet::Fleet(Poller &poller, FleetOptions options)
    : poller_(poller), options_(std::move(options)), protocol_(make_protocol(options_.protocol, *this)), buffer_(1 << 17) {}

Fleet::~Fleet() { close_all(true); }

void Fleet::prepare(size_t target) {
    sockets_.reserve(target);
    while (sockets_.size() < target) {
        Socket &socket = *sockets_.emplace_back(std::make_unique<Socket>(*this, static_cast<uint32_t>(sockets_.size())));
        if (!options_.secret.empty())
            socket.token =
                sign_hs256(claims_for(expand(options_.user, socket.number), expand(options_.claims, socket.number)), options_.secret);
    }
}

void Fleet::pump() {
    while (opened_ < sockets_.size() && opening_ < options_.at_a_time) open(*sockets_[opened_++]);
}

void Fleet::open(Socket &socket) {
    ++opening_;
    socket.state = Socket::State::Connecting;
    socket.step = 0;
    socket.joined = 0;
    socket.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket.fd < 0) return fail(socket, errno_text("socket"));
    const int one = 1;
    setsockopt(socket.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(options_.port));
    inet_pton(AF_INET, options_.host.c_str(), &address.sin_addr);
    if (connect(socket.fd, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 && errno != EINPROGRESS)
        return fail(socket, errno_text("connect"));
    poller_.add(socket.fd, EPOLLOUT, socket);
}

void Fleet::connected(Socket &socket) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return fail(socket, "connect: " + std::string(std::strerror(error)));
    socket.state = Socket::State::Opening;
    poller_.change(socket.fd, EPOLLIN, socket);
    const std::string hello = protocol_->hello(socket);
    send(socket, hello);
}

void Fleet::on_socket(Socket &socket, uint32_t events) {
    if (socket.fd < 0) return;
    if (socket.state == Socket::State::Connecting) return connected(socket);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    const ssize_t got = ::recv(socket.fd, buffer_.data(), buffer_.size(), 0);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) fail(socket, errno_text("recv"));
        return;
    }
    if (got == 0) return fail(socket, "closed by the server");
    std::string joined;
    std::string_view bytes(buffer_.data(), static_cast<size_t>(got));
    if (!socket.rest.empty()) {
        joined = std::exchange(socket.rest, {});
        joined += bytes;
        bytes = joined;
    }
    bytes.remove_prefix(protocol_->received(socket, bytes));
    if (!bytes.empty() && socket.fd >= 0) socket.rest = bytes;
}

void Fleet::send(Socket &socket, std::string_view bytes) {
    if (socket.fd < 0) return;
    if (::send(socket.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
        fail(socket, "send: the server does not read");
}

void Fleet::entered(Socket &socket) {
    if (socket.state != Socket::State::Opening) return;
    socket.state = Socket::State::Ready;
    ++ready_;
    --opening_;
}

void Fleet::delivered(Socket &socket, std::string_view text) {
    ++counts_.deliveries;
    counts_.bytes += text.size();
    const int64_t seq = find_seq(text);
    if (seq >= 0) {
        if (seq <= socket.last_seq) {
            ++counts_.repeated;
        } else {
            if (socket.last_seq >= 0) counts_.skipped += static_cast<uint64_t>(seq - socket.last_seq - 1);
            socket.last_seq = seq;
        }
    }
    if (options_.recover && text.ends_with("\"]")) {
        const size_t from = text.rfind(",\"");
        if (from != std::string_view::npos) socket.offset = text.substr(from + 2, text.size() - from - 4);
    }
    if (options_.check_positions) {
        const int64_t position = find_position(text);
        if (position <= socket.last_position) ++counts_.position_errors;
        socket.last_position = position;
    }
    if (on_event) on_event(socket.number, seq, text);
}

void Fleet::emit(uint32_t socket, std::string_view packet) { protocol_->send_text(*sockets_.at(socket), packet); }

// The connection ends here; the Socket object stays, because the poller may hold it in this turn.
void Fleet::fail(Socket &socket, const std::string &reason) {
    if (socket.state == Socket::State::Dead || socket.state == Socket::State::Cut) return;
    if (socket.state == Socket::State::Ready) {
        --ready_;
        ++counts_.lost;
    } else {
        --opening_;
        ++counts_.refused;
    }
    ++counts_.reasons[reason];
    const bool again = options_.recover && !socket.pid.empty();
    if (!again) ++failed_;
    socket.state = again ? Socket::State::Cut : Socket::State::Dead;
    hang_up(socket, false);
}

void Fleet::hang_up(Socket &socket, bool reset) {
    socket.rest.clear();
    socket.fragments.clear();
    if (socket.fd < 0) return;
    if (reset) {
        const linger hard{1, 0};
        setsockopt(socket.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    poller_.remove(socket.fd);
    ::close(std::exchange(socket.fd, -1));
}

void Fleet::close_all(bool reset) {
    for (auto &socket : sockets_) {
        if (socket->fd < 0) continue;
        if (!reset) protocol_->bye(*socket);
        hang_up(*socket, reset);
    }
    sockets_.clear();
    opened_ = ready_ = failed_ = opening_ = 0;
}

void Fleet::cut() {
    for (auto &socket : sockets_) {
        if (socket->state != Socket::State::Ready) continue;
        hang_up(*socket, true);
        socket->state = Socket::State::Cut;
        --ready_;
    }
}

void Fleet::come_back(uint32_t socket, int port) {
    options_.port = port;
    if (sockets_.at(socket)->state == Socket::State::Cut) open(*sockets_[socket]);
}

int64_t Fleet::last_seq(uint32_t socket) const { return sockets_.at(socket)->last_seq; }

void Fleet::reset_counts() { counts_ = {}; }

void Fleet::forget_sequence() {
    for (auto &socket : sockets_) socket->last_seq = -1;
}

std::string Fleet::expand(const std::string &text, uint32_t number) const {
    std::string out = text;
    for (size_t at; (at = out.find("{i}")) != std::string::npos;) out.replace(at, 3, std::to_string(number));
    for (size_t at; (at = out.find("{i/10}")) != std::string::npos;) out.replace(at, 6, std::to_string(number / 10));
    return out;
}

}  // namespace bench
