// http_sink: the cheapest receiver of HTTP requests, the same for everybody who sends: one epoll loop that reads each request whole and
// answers it with a few bytes of JSON on the same connection. GET /count answers how many others there were.
// Started by tests/bench/run: http_sink PORT.
#include "client/poller.hpp"
#include "client/process.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <iostream>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <unordered_map>
#include <vector>

namespace bench {
namespace {

std::string answer(std::string_view body) {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
}

size_t content_length(std::string_view head) {
    constexpr std::string_view kName = "\r\ncontent-length:";
    const auto same = [](char a, char b) { return a == b || (a >= 'A' && a <= 'Z' && a + 32 == b); };
    const auto found = std::search(head.begin(), head.end(), kName.begin(), kName.end(), same);
    if (found == head.end()) return 0;
    std::string_view digits = head.substr(static_cast<size_t>(found - head.begin()) + kName.size());
    digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
    size_t length = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), length);
    return length;
}

class Sink : public Ready {
public:
    explicit Sink(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        const int one = 1;
        setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (bind(fd_, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 || listen(fd_, 4096) != 0)
            throw std::runtime_error("cannot listen on port " + std::to_string(port));
        poller_.add(fd_, EPOLLIN, *this);
    }

    void run() {
        for (;;) {
            poller_.turn(-1);
            gone_.clear();  // destroyed between turns: the poller may still name them inside one
        }
    }

    void on_ready(uint32_t) override {
        for (int client; (client = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
            const int one = 1;
            setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            auto sender = std::make_unique<Sender>(*this, client);
            poller_.add(client, EPOLLIN, *sender);
            senders_.emplace(client, std::move(sender));
        }
    }

private:
    struct Sender : Ready {
        Sender(Sink &owner, int descriptor) : sink(owner), fd(descriptor) {}
        void on_ready(uint32_t) override { sink.serve(*this); }

        Sink &sink;
        int fd;
        std::string input;
    };

    void serve(Sender &sender) {
        char bytes[65536];
        const ssize_t got = ::recv(sender.fd, bytes, sizeof bytes, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) return drop(sender);
        sender.input.append(bytes, got > 0 ? static_cast<size_t>(got) : 0);
        for (;;) {
            const size_t end = sender.input.find("\r\n\r\n");
            if (end == std::string::npos) return;
            const size_t whole = end + 4 + content_length(std::string_view(sender.input).substr(0, end));
            if (sender.input.size() < whole) return;
            const bool asked = sender.input.starts_with("GET /count ");
            const std::string count = asked ? answer(std::to_string(count_)) : "";
            const std::string &said = asked ? count : ok_;
            count_ += asked ? 0 : 1;
            sender.input.erase(0, whole);
            if (::send(sender.fd, said.data(), said.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(said.size())) return drop(sender);
        }
    }

    void drop(Sender &sender) {
        const auto found = senders_.find(sender.fd);
        poller_.remove(sender.fd);
        ::close(sender.fd);
        gone_.push_back(std::move(found->second));
        senders_.erase(found);
    }

    Poller poller_;
    int fd_;
    unsigned long count_ = 0;
    const std::string ok_ = answer(R"({"ok":true})");
    std::unordered_map<int, std::unique_ptr<Sender>> senders_;
    std::vector<std::unique_ptr<Sender>> gone_;
};

}  // namespace
}  // namespace bench

int main(int argc, char **argv) {
    if (argc != 2) {
        std::cerr << "usage: http_sink PORT" << std::endl;
        return 2;
    }
    bench::raise_file_limit();
    try {
        bench::Sink sink(std::atoi(argv[1]));
        std::cout << "ready" << std::endl;
        sink.run();
    } catch (const std::exception &error) {
        std::cerr << "http_sink: " << error.what() << std::endl;
        return 1;
    }
}
