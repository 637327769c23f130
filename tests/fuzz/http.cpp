// Bytes of a client on a connection that speaks HTTP, with everything real but the network: a socket pair, the loop, the parser. The
// first byte says where the rest is cut in two. Whatever the pieces, the answers are the same; each request that is let through says one
// thing only about where its body ends; and when the client is gone nothing is left.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/json.hpp"
#include "check.hpp"
#include "http/connections.hpp"
#include "net/tls.hpp"

using namespace bridge;

namespace {

class Standing final : public loop::Deadlines {
public:
    std::int64_t now() const override { return 1'000'000; }
    void arm(loop::Wheel::Entry &entry, std::int64_t due) override { wheel_.arm(entry, due); }

private:
    loop::Wheel wheel_{1'000'000};
};

class Echo final : public http::Service, public http::Watcher {
public:
    void request(http::Exchange &exchange) override {
        const http::Request &request = exchange.request();
        CHECK(json::valid_utf8(request.path) && request.path.find('\0') == std::string::npos);
        int lengths = 0, size = 0;
        for (const auto &[name, value] : request.headers) {
            CHECK(!name.empty() && value.find_first_of("\r\n") == std::string::npos);
            lengths += name == "content-length" || name == "transfer-encoding" ? 1 : 0;
            size += static_cast<int>(name.size() + value.size());
        }
        CHECK(lengths <= 1 && size <= 512);
        exchange.watch(*this);
    }
    void complete(http::Exchange &exchange) override {
        CHECK(exchange.request().body.size() <= 64);
        http::Reply reply;
        reply.body = exchange.request().path + " " + exchange.request().body;
        exchange.respond(std::move(reply));
    }
    void gone(http::Exchange &) override {}
};

// The client's end. It goes on talking as long as it can, and hears everything.
class Client {
public:
    explicit Client(int fd) : fd_(fd) {}
    ~Client() { ::close(fd_); }
    Client(const Client &) = delete;

    void say(std::string_view bytes) { (void)!::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT); }
    void finish() { ::shutdown(fd_, SHUT_WR); }
    void hear() {
        char bytes[65536];
        for (ssize_t got; (got = ::recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) heard.append(bytes, static_cast<std::size_t>(got));
    }
    std::string heard;

private:
    int fd_;
};

std::string answers(loop::Loop &loop, std::initializer_list<std::string_view> pieces) {
    static Standing clock;
    static const http::Cors cors;
    Echo echo;
    http::Limits limits;
    limits.max_header_bytes = 512;
    limits.max_body = 64;
    limits.max_pipelined = 128;
    http::Connections connections(clock, echo, cors, limits);
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    Client client(ends[1]);
    connections.add(std::make_unique<net::Stream>(loop, ends[0], "192.0.2.1", false, nullptr));
    const auto turns = [&](int count) {
        for (int n = 0; n < count; ++n) {
            loop.run_once();
            client.hear();
        }
    };
    for (const std::string_view piece : pieces) {
        client.say(piece);
        turns(6);
    }
    client.finish();
    turns(6);
    for (int n = 0; n < 200 && connections.size() > 0; ++n) turns(1);
    CHECK(connections.size() == 0);
    return std::move(client.heard);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    if (size == 0 || size > 4096) return 0;
    static loop::Loop loop;
    const std::string_view in = text(data, size).substr(1);
    const std::size_t cut = std::min<std::size_t>(data[0], in.size());
    const std::string whole = answers(loop, {in}), parts = answers(loop, {in.substr(0, cut), in.substr(cut)});
    if (whole != parts) std::fprintf(stderr, "whole:\n%s\nin parts:\n%s\n", whole.c_str(), parts.c_str());
    CHECK(whole == parts);
    return 0;
}
