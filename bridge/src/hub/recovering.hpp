// One session's way back: what it misses and how far it has come. Made by History, moved on by Hub::resume().
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "hub/frame.hpp"

namespace bridge::hub {

struct HistoryOutcome {
    bool recovered = false;  // everything was given and the session is live
    std::string reason;      // else why not: a reason of must_refetch, "unavailable", "too_many" rooms, or "gone"
    bool begun = false;      // `first` or an event was sent already: only ending the connection is honest now
};

struct Recovering {
    struct Room {
        std::string name;
        Position since;
        bool member = false;  // was in it when the recovery began: what came since then is not missing
        bool lost = false;    // an eviction has ended it, and the client was told
    };
    SessionId session;
    std::vector<Room> rooms;
    Position decided;       // the position of the snapshot in which it was allowed
    bool backfill = false;  // events carry the session's own cursor, since it has seen later ones through other rooms
    FramePtr first;         // goes out before the first event
    std::function<void(HistoryOutcome)> done;

    Position reached;       // everything up to here was given
    bool begun = false;     // something was sent
    std::size_t given = 0;  // events sent
    std::size_t sent = 0;   // bytes sent since its socket was last seen to have taken everything
};

}  // namespace bridge::hub
