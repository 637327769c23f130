// Thousands of Socket.IO clients, see fleet.hpp.
#include "client/fleet.hpp"

#include "client/token.hpp"
#include "client/wire.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

namespace bench {

namespace {

constexpr size_t kHandshakesAtATime = 128;

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

// The string member `key` of a flat JSON object, or empty.
std::string_view member(std::string_view text, std::string_view key) {
    const size_t at = text.find(key);
    if (at == std::string_view::npos) return {};
    const size_t from = text.find(":\"", at);
    if (from == std::string_view::npos) return {};
    return text.substr(from + 2, text.find('"', from + 2) - from - 2);
}

}  // namespace

struct Fleet::Socket : Ready {
    Socket(Fleet &owner, uint32_t index) : fleet(owner), number(index) {}
    ~Socket() override {
        if (fd >= 0) ::close(fd);
    }
    void on_ready(uint32_t events) override { fleet.on_socket(*this, events); }

    Fleet &fleet;
    uint32_t number;
    int fd = -1;
    State state = State::Connecting;
    uint16_t joined = 0;
    int64_t last_seq = -1;
    int64_t last_position = -1;
    std::string rest;  // an incomplete frame
    std::string fragments;
    std::string pid, offset;  // of the session, when recovery is measured
};

Fleet::Fleet(Poller &poller, FleetOptions options)
    : poller_(poller), options_(std::move(options)), event_prefix_("42[\"" + options_.event + "\","), buffer_(1 << 17) {}

Fleet::~Fleet() { close_all(true); }

void Fleet::grow(size_t target) {
    target_ = std::max(target_, target);
    sockets_.reserve(target_);
    pump();
}

void Fleet::pump() {
    while (sockets_.size() < target_ && opening_ < kHandshakesAtATime)
        open(*sockets_.emplace_back(std::make_unique<Socket>(*this, static_cast<uint32_t>(sockets_.size()))));
}

void Fleet::open(Socket &socket) {
    ++opening_;
    socket.state = State::Connecting;
    socket.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket.fd < 0) return fail(socket, "socket: " + std::string(std::strerror(errno)));
    const int one = 1;
    setsockopt(socket.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(options_.port));
    inet_pton(AF_INET, options_.host.c_str(), &address.sin_addr);
    if (connect(socket.fd, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 && errno != EINPROGRESS)
        return fail(socket, "connect: " + std::string(std::strerror(errno)));
    poller_.add(socket.fd, EPOLLOUT, socket);
}

void Fleet::on_socket(Socket &socket, uint32_t events) {
    if (socket.state == State::Dead || socket.state == State::Cut) return;
    if (socket.state == State::Connecting) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &error, &length);
        if (error != 0) return fail(socket, "connect: " + std::string(std::strerror(error)));
        const std::string request =
            upgrade_request(options_.host + ":" + std::to_string(options_.port), options_.path, "", "AAAAAAAAAAAAAAAAAAAAAA==");
        if (::send(socket.fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
            return fail(socket, "send: upgrade request");
        socket.state = State::Upgrading;
        return poller_.change(socket.fd, EPOLLIN, socket);
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    const ssize_t got = ::recv(socket.fd, buffer_.data(), buffer_.size(), 0);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) fail(socket, "recv: " + std::string(std::strerror(errno)));
        return;
    }
    if (got == 0) return fail(socket, "closed by the server");
    std::string_view bytes(buffer_.data(), static_cast<size_t>(got));
    if (socket.rest.empty()) return on_bytes(socket, bytes);
    std::string joined = std::move(socket.rest);
    socket.rest.clear();
    joined += bytes;
    on_bytes(socket, joined);
}

void Fleet::on_bytes(Socket &socket, std::string_view bytes) {
    if (socket.state == State::Upgrading) {
        const size_t end = bytes.find("\r\n\r\n");
        if (end == std::string_view::npos) {
            socket.rest = bytes;
            return;
        }
        if (!bytes.starts_with("HTTP/1.1 101")) return fail(socket, "upgrade: " + std::string(bytes.substr(0, bytes.find('\r'))));
        socket.state = State::Opening;
        bytes.remove_prefix(end + 4);
    }
    while (!bytes.empty() && socket.fd >= 0) {
        Frame frame;
        const Parsed parsed = parse_server_frame(bytes, frame);
        if (parsed == Parsed::Broken) return fail(socket, "malformed frame");
        if (parsed == Parsed::NeedMore) {
            socket.rest = bytes;
            return;
        }
        bytes.remove_prefix(frame.size);
        switch (frame.opcode) {
            case Opcode::Text:
            case Opcode::Continuation:
                if (frame.final && socket.fragments.empty()) {
                    on_text(socket, frame.payload);
                } else {
                    socket.fragments += frame.payload;
                    if (frame.final) on_text(socket, std::exchange(socket.fragments, {}));
                }
                break;
            case Opcode::Ping: {
                const std::string pong = client_frame(Opcode::Pong, frame.payload, mask_ += 0x9e3779b9);
                (void)!::send(socket.fd, pong.data(), pong.size(), MSG_NOSIGNAL);
                break;
            }
            case Opcode::Close: {
                const auto at = [&](size_t i) { return static_cast<uint8_t>(frame.payload[i]); };
                const int code = frame.payload.size() >= 2 ? at(0) << 8 | at(1) : 1005;
                return fail(socket, "close " + std::to_string(code));
            }
            default: break;  // binary attachments are not counted
        }
    }
}

void Fleet::on_text(Socket &socket, std::string_view text) {
    if (text.starts_with(event_prefix_)) return on_delivery(socket, text);
    if (text == "2") {
        ++counts_.pings;
        return send_text(socket, "3");
    }
    if (text.starts_with("0{")) {
        return send_text(socket, connect_packet(socket));
    }
    if (text.starts_with("40")) return on_connected(socket, text);
    if (text.starts_with("44")) return fail(socket, "refused: " + std::string(text.substr(2, 200)));
    if (text.starts_with("43")) {
        if (text.find("\"error\"") != std::string_view::npos) return fail(socket, "join refused: " + std::string(text.substr(2, 200)));
        return advance_join(socket);
    }
    if (text.starts_with("41")) return fail(socket, "disconnected by the server");
    if (text.starts_with("42")) ++counts_.other_events;
}

std::string Fleet::connect_packet(const Socket &socket) const {
    std::string members;
    if (!socket.pid.empty()) members = R"("pid":")" + socket.pid + R"(","offset":")" + socket.offset + "\",";
    if (!options_.secret.empty()) {
        const std::string claims = claims_for(expand(options_.user, socket.number), expand(options_.claims, socket.number));
        members += R"("token":")" + sign_hs256(claims, options_.secret) + "\",";
    }
    if (members.empty()) return "40";
    members.back() = '}';
    return "40{" + members;
}

void Fleet::on_connected(Socket &socket, std::string_view text) {
    if (socket.state != State::Opening) return;
    if (options_.recover) {
        const std::string_view pid = member(text, "\"pid\"");
        if (!socket.pid.empty()) ++(pid == socket.pid ? counts_.recovered : counts_.fresh);
        socket.pid = pid;
    }
    socket.state = State::Joining;
    if (options_.rooms.empty()) return advance_join(socket);
    send_text(socket, "420[\"room:join\",{\"room\":\"" + expand(options_.rooms[0], socket.number) + "\"}]");
}

// Called after CONNECT when no room is asked for, else once for each join's ack.
void Fleet::advance_join(Socket &socket) {
    if (socket.state != State::Joining) return;
    if (!options_.rooms.empty() && ++socket.joined < options_.rooms.size()) {
        const std::string id = std::to_string(socket.joined);
        return send_text(socket, "42" + id + "[\"room:join\",{\"room\":\"" + expand(options_.rooms[socket.joined], socket.number) + "\"}]");
    }
    socket.state = State::Ready;
    ++ready_;
    --opening_;
}

void Fleet::on_delivery(Socket &socket, std::string_view text) {
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

void Fleet::emit(uint32_t socket, std::string_view packet) { send_text(*sockets_.at(socket), packet); }

void Fleet::send_text(Socket &socket, std::string_view text) {
    const std::string frame = client_frame(Opcode::Text, text, mask_ += 0x9e3779b9);
    if (::send(socket.fd, frame.data(), frame.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size()))
        fail(socket, "send: the server does not read");
}

// The connection ends here; the Socket object stays, because the poller may hold it in this turn.
void Fleet::fail(Socket &socket, const std::string &reason) {
    if (socket.state == State::Dead || socket.state == State::Cut) return;
    if (socket.state == State::Ready) {
        --ready_;
        ++counts_.lost;
    } else {
        --opening_;
        ++counts_.refused;
    }
    ++counts_.reasons[reason];
    const bool again = options_.recover && !socket.pid.empty();
    if (!again) ++failed_;
    socket.state = again ? State::Cut : State::Dead;
    socket.rest.clear();
    socket.fragments.clear();
    socket.joined = 0;
    if (socket.fd >= 0) {
        poller_.remove(socket.fd);
        ::close(std::exchange(socket.fd, -1));
    }
}

void Fleet::close_all(bool reset) {
    for (auto &socket : sockets_) {
        if (socket->fd < 0) continue;
        if (reset) {
            const linger hard{1, 0};
            setsockopt(socket->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        } else {
            const std::string frame = client_frame(Opcode::Close, std::string_view("\x03\xe8", 2), mask_ += 0x9e3779b9);
            (void)!::send(socket->fd, frame.data(), frame.size(), MSG_NOSIGNAL);
        }
        poller_.remove(socket->fd);
    }
    sockets_.clear();
    target_ = ready_ = failed_ = opening_ = 0;
}

void Fleet::cut() {
    for (auto &socket : sockets_) {
        if (socket->state != State::Ready) continue;
        const linger hard{1, 0};
        setsockopt(socket->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        poller_.remove(socket->fd);
        ::close(std::exchange(socket->fd, -1));
        socket->rest.clear();
        socket->fragments.clear();
        socket->joined = 0;
        socket->state = State::Cut;
        --ready_;
    }
}

void Fleet::come_back(uint32_t socket, int port) {
    options_.port = port;
    if (sockets_.at(socket)->state == State::Cut) open(*sockets_[socket]);
}

int64_t Fleet::last_seq(uint32_t socket) const { return sockets_.at(socket)->last_seq; }

void Fleet::reset_counts() { counts_ = {}; }

void Fleet::forget_sequence() {
    for (auto &socket : sockets_) socket->last_seq = -1;
}

std::string Fleet::expand(const std::string &text, uint32_t number) const {
    std::string out = text;
    for (size_t at; (at = out.find("{i}")) != std::string::npos;) out.replace(at, 3, std::to_string(number));
    return out;
}

}  // namespace bench
