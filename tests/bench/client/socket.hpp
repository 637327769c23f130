// One connection of the fleet, and what its protocol remembers of it. Owned by the Fleet; dead ones stay, because the poller may
// still name them in this turn.
#pragma once

#include "client/poller.hpp"

#include <cstdint>
#include <string>
#include <unistd.h>

namespace bench {

class Fleet;

struct Socket : Ready {
    enum class State : uint8_t { Waiting, Connecting, Opening, Ready, Cut, Dead };

    Socket(Fleet &owner, uint32_t index) : fleet(owner), number(index) {}
    ~Socket() override {
        if (fd >= 0) ::close(fd);
    }
    void on_ready(uint32_t events) override;

    Fleet &fleet;
    uint32_t number;
    int fd = -1;
    State state = State::Waiting;
    uint8_t step = 0;     // of the protocol's opening; 0 for each new connection
    uint16_t joined = 0;  // rooms
    int64_t last_seq = -1;
    int64_t last_position = -1;
    std::string token;        // minted before the clock starts
    std::string rest;         // what is not complete yet
    std::string fragments;    // of a message in pieces
    std::string pid, offset;  // of the session, when recovery is measured
    std::string sid;          // of a polling session
};

}  // namespace bench
