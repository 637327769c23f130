// A listening socket of our own: SO_REUSEPORT, so that several bridges share a port; NODELAY and a bounded send buffer, which accepted
// sockets inherit; accept4 in the loop. Hands each descriptor on and never reads from it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "loop/loop.hpp"

namespace bridge::net {

class Acceptor {
public:
    // Owns the descriptor that it is given. The address is the peer's, IPv4 as such.
    using OnAccept = std::function<void(int fd, std::string ip)>;

    // Throws, naming the address, when it cannot bind.
    Acceptor(loop::Loop &loop, const std::string &host, std::uint16_t port, int send_buffer, OnAccept on_accept);
    ~Acceptor();
    Acceptor(const Acceptor &) = delete;
    Acceptor &operator=(const Acceptor &) = delete;

    void start();
    void finish();                                // those that wait are taken, then nobody can connect any more
    std::uint16_t port() const { return port_; }  // what the kernel chose for port 0

private:
    bool accept_one();  // false: nobody waits, or not now
    void accept_some();

    loop::Loop &loop_;
    OnAccept on_accept_;
    int fd_ = -1;
    std::uint16_t port_ = 0;
    std::unique_ptr<loop::Watch> watch_;
    std::unique_ptr<loop::Timer> pause_;
};

}  // namespace bridge::net
