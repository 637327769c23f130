// floor_server: the least a server can do, as the yardstick of the fan-out measurement: one epoll loop, one ready frame a
// message, one send() for each socket. Speaks just enough WebSocket and Socket.IO for the load client: handshake, CONNECT
// to "/", nothing else. No rooms, no queue, no authentication: that is the point of it.
// Started by tests/bench/run: floor_server PORT CONTROL_PORT; each line on the control connection is an event's payload.
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
    bool joined = false;
    std::string input;
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
        const size_t slot = client.slot;
        gone_.push_back(std::move(clients_[slot]));
        if (slot + 1 != clients_.size()) {
            clients_[slot] = std::move(clients_.back());
            clients_[slot]->slot = slot;
        }
        clients_.pop_back();
    }

    void broadcast(const std::string &payload) {
        const std::string frame = server_frame(Opcode::Text, "42[\"bench\"," + payload + "]");
        for (const auto &client : clients_)
            if (client->joined) send_all(client->fd, frame);
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
    if (!upgraded) {
        const size_t end = input.find("\r\n\r\n");
        const size_t key = input.find("Sec-WebSocket-Key: ");
        if (end == std::string::npos || key == std::string::npos) return;
        const std::string accept = accept_for(input.substr(key + 19, input.find('\r', key) - key - 19));
        Server::send_all(fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: " +
                                 accept + "\r\n\r\n" +
                                 server_frame(Opcode::Text, R"(0{"sid":"floor","upgrades":[],"pingInterval":300000,)"
                                                            R"("pingTimeout":20000,"maxPayload":1000000})"));
        upgraded = true;
        input.erase(0, end + 4);
    }
    Frame frame;
    while (parse_client_frame(input.data(), input.size(), frame) == Parsed::Frame) {
        if (frame.opcode == Opcode::Text && frame.payload.starts_with("40") && !joined) {
            joined = true;
            Server::send_all(fd, server_frame(Opcode::Text, R"(40{"sid":"floor"})"));
        }
        input.erase(0, frame.size);
    }
    if (input.empty()) input.shrink_to_fit();
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
