// One tick: the events of transactions that ended between P and S get positions, deliveries and notifications.
// Raises in a transaction that has an xid or is not READ COMMITTED. May throw pg::Error; README.md draws it.
#pragma once

#include "dispatch/epoch.hpp"
#include "dispatch/notification.hpp"
#include "dispatch/reader.hpp"

namespace pulse::dispatch {

// Who sends what a tick has to say. The dispatcher's tells bridges; a tick from SQL only serves legacy channels.
class Announcer {
public:
    // Whether bridges shall get the events themselves. False: they are told later which positions to read.
    virtual bool wants_lines(std::int64_t events, bool backlog) = 0;
    // Called inside the transaction, after everything else.
    virtual void announce(const Epoch &epoch, std::int64_t first, std::int64_t last, bool with_lines, const std::vector<EventLine> &lines,
                          std::vector<Notification> &legacy) = 0;

protected:
    ~Announcer() = default;
};

struct TickResult {
    bool extension_gone = false;
    bool more = false;  // a backlog waits for its next chunk
    std::int64_t events = 0;
};

// backlog: null in SQL, where a backlog's chunks are read one by one. careful: the tick before this one failed, so
// isolate the event that did it. The caller's transaction is open and commits afterwards.
TickResult tick(Announcer &announcer, Backlog *backlog, bool careful);

}  // namespace pulse::dispatch
