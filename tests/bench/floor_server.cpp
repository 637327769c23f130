// floor_server: the least a server can do, as the yardstick of the fan-out measurements: one epoll loop, one ready frame a
// message, one send() for each socket of the room. Speaks just enough for the load client: WebSocket with Socket.IO's CONNECT to "/"
// and room:join (everybody is in the room bench), and event streams (GET /sse?room=…). No queue, no authentication: that is the point of
// it. Started by tests/bench/run: floor_server PORT CONTROL_PORT; each line on the control connection is a room, a tab and a payload.
#include "client/poller.hpp"
#include "client/process.hpp"
#include "client/wire.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unordered_map>
#include <vector>

namespace bench {
namespace {

class Server;

struct Client : Ready {
    Client(Server &owner, int descriptor) : server(owner), fd(descriptor) {}
    void on_ready(uint32_t events) override;

    Server &server;
    int fd;
    size_t slot = 0;  // in Server::clients_
    bool upgraded = false;
    bool stream = false;  // of events, not a WebSocket
    std::vector<std::string> rooms;
    std::string input;

private:
    bool begin();
    void take(std::string_view text);
};

struct Control : Ready {
    explicit Control(Server &owner) : server(owner) {}
    void on_ready(uint32_t events) override;

    Server &server;
    int fd = -1;
    std::string input;
};

struct Listener : Ready {
    Listener(Server &owner, int port, bool is_control);
    void on_ready(uint32_t events) override;

    Server &server;
    bool control;
    int fd;
};

class Server {
public:
    Server(int port, int control_port)
        : control_(*this), public_listener_(*this, port, false), control_listener_(*this, control_port, true) {}

    void run() {
        for (;;) {
            poller.turn(-1);
            gone_.clear();  // destroyed between turns: the poller may still name them inside one
        }
    }

    void accept_client(int fd) {
        auto client = std::make_unique<Client>(*this, fd);
        client->slot = clients_.size();
        poller.add(fd, EPOLLIN, *client);
        clients_.push_back(std::move(client));
    }

    void accept_control(int fd) {
        if (control_.fd >= 0) drop_control();
        control_.fd = fd;
        poller.add(fd, EPOLLIN, control_);
    }

    void drop_control() {
        poller.remove(control_.fd);
        ::close(control_.fd);
        control_.fd = -1;
        control_.input.clear();
    }

    void drop(Client &client) {
        poller.remove(client.fd);
        ::close(client.fd);
        for (const std::string &room : client.rooms) std::erase(rooms_[room], &client);
        const size_t slot = client.slot;
        gone_.push_back(std::move(clients_[slot]));
        if (slot + 1 != clients_.size()) {
            clients_[slot] = std::move(clients_.back());
            clients_[slot]->slot = slot;
        }
        clients_.pop_back();
    }

    void join(Client &client, std::string_view room) {
        client.rooms.emplace_back(room);
        rooms_[client.rooms.back()].push_back(&client);
    }

    // `line`: a room, a tab, the event's payload.
    void broadcast(std::string_view line) {
        const auto found = rooms_.find(std::string(line.substr(0, line.find('\t'))));
        if (found == rooms_.end()) return;
        const std::string payload(line.substr(line.find('\t') + 1));
        const std::string frame = server_frame(Opcode::Text, "42[\"bench\"," + payload + "]");
        const std::string block = "id: " + std::to_string(++id_) + "\nevent: bench\ndata: " + payload + "\n\n";
        for (const Client *client : found->second) send_all(client->fd, client->stream ? block : frame);
    }

    // A full socket buffer is waited for: the floor keeps no queue.
    static void send_all(int fd, std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent > 0) {
                bytes.remove_prefix(static_cast<size_t>(sent));
            } else if (errno == EAGAIN) {
                pollfd wait{fd, POLLOUT, 0};
                poll(&wait, 1, 1000);
            } else {
                return;  // the connection broke: its own event will drop it
            }
        }
    }

    Poller poller;

private:
    Control control_;
    std::vector<std::unique_ptr<Client>> clients_, gone_;
    std::unordered_map<std::string, std::vector<Client *>> rooms_;
    uint64_t id_ = 0;
    Listener public_listener_, control_listener_;
};

Listener::Listener(Server &owner, int port, bool is_control)
    : server(owner), control(is_control), fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 || listen(fd, 4096) != 0)
        throw std::runtime_error("cannot listen on port " + std::to_string(port));
    server.poller.add(fd, EPOLLIN, *this);
}

void Listener::on_ready(uint32_t) {
    for (int client; (client = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        const int one = 1;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        control ? server.accept_control(client) : server.accept_client(client);
    }
}

void Control::on_ready(uint32_t) {
    char bytes[65536];
    const ssize_t got = ::recv(fd, bytes, sizeof bytes, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return server.drop_control();
    input.append(bytes, got > 0 ? static_cast<size_t>(got) : 0);
    for (size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1)) server.broadcast(input.substr(0, end));
}

void Client::on_ready(uint32_t) {
    char bytes[4096];
    const ssize_t got = ::recv(fd, bytes, sizeof bytes, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return server.drop(*this);
    input.append(bytes, got > 0 ? static_cast<size_t>(got) : 0);
    if (!upgraded && !begin()) return;
    Frame frame;
    while (!stream && parse_client_frame(input.data(), input.size(), frame) == Parsed::Frame) {
        if (frame.opcode == Opcode::Text) take(frame.payload);
        input.erase(0, frame.size);
    }
    if (input.empty()) input.shrink_to_fit();
}

// The answer to the request, once all of it is here.
bool Client::begin() {
    const size_t end = input.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const size_t key = input.find("Sec-WebSocket-Key: ");
    constexpr std::string_view kStream = "GET /sse?room=";
    if (input.starts_with(kStream)) {
        stream = true;
        Server::send_all(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
                             "retry: 3000\nid: 0\n\n");
        server.join(*this, std::string_view(input).substr(kStream.size(), input.find(' ', kStream.size()) - kStream.size()));
    } else if (key < end) {
        const std::string accept = accept_for(input.substr(key + 19, input.find('\r', key) - key - 19));
        Server::send_all(fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: " +
                                 accept + "\r\n\r\n" +
                                 server_frame(Opcode::Text, R"(0{"sid":"floor","upgrades":[],"pingInterval":300000,)"
                                                            R"("pingTimeout":20000,"maxPayload":1000000})"));
    }
    upgraded = true;
    input.erase(0, end + 4);
    return true;
}

void Client::take(std::string_view text) {
    constexpr std::string_view kJoin = "[\"room:join\",{\"room\":\"";
    if (text.starts_with("40")) {
        server.join(*this, "bench");
        return Server::send_all(fd, server_frame(Opcode::Text, R"(40{"sid":"floor"})"));
    }
    const size_t at = text.find(kJoin);
    if (!text.starts_with("42") || at == std::string_view::npos) return;
    const std::string_view room = text.substr(at + kJoin.size());
    server.join(*this, room.substr(0, room.find('"')));
    Server::send_all(fd, server_frame(Opcode::Text, "43" + std::string(text.substr(2, at - 2)) + R"([{"ok":true}])"));
}

}  // namespace
}  // namespace bench

int main(int argc, char **argv) {
    if (argc != 3) {
        std::cerr << "usage: floor_server PORT CONTROL_PORT" << std::endl;
        return 2;
    }
    bench::raise_file_limit();
    try {
        bench::Server server(std::atoi(argv[1]), std::atoi(argv[2]));
        std::cout << "ready" << std::endl;
        server.run();
    } catch (const std::exception &error) {
        std::cerr << "floor_server: " << error.what() << std::endl;
        return 1;
    }
}
