// A session is one namespace on one connection. It is small because 10,000 idle ones must cost little: no maps, no inline buffers,
// claims shared with the connection's other sessions. What the fan-out touches lies apart, in SessionHot.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/claims.hpp"
#include "base/ids.hpp"
#include "base/protocol.hpp"

namespace bridge::hub {

using RoomIndex = std::uint32_t;
using EncodingId = std::uint32_t;  // an interned (protocol, namespace)

// The 16 bytes that a delivery reads.
struct SessionHot {
    std::uint64_t stamp = 0;  // the last delivery that reached it: each event once, without a set
    std::uint32_t connection = 0;
    EncodingId encoding = 0;
};

struct Membership {
    RoomIndex room;
    std::uint32_t slot;  // place in the room's member list
    Position since;      // the event at `since` and older ones are not for this session
};

struct Session {
    ConnectionId connection;
    PublicId key;        // stable session id: pulse.session_id(), `except_session`
    PublicId socket_id;  // what Socket.IO calls the sid of this namespace: pulse.socket_id()
    ClaimsPtr claims;
    std::vector<Membership> rooms;
    std::uint32_t generation = 0;      // of this slot; even: free
    std::uint32_t next_on_connection;  // list of the connection's sessions
    std::uint32_t next_of_user, previous_of_user;
    Position base;  // what the client had seen when it came
};

}  // namespace bridge::hub
