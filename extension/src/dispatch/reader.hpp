// Which events are due, and their rows. The only reader of pulse.events for dispatching; always over all three slots.
// Rows point into SPI's memory: they live as long as the tick's SPI session. All of it may throw pg::Error.
#pragma once

#include "dispatch/progress.hpp"

#include <deque>

namespace pulse::dispatch {

// A done_id before every event, and a P from which everything without a position is due (rows of another cluster).
constexpr std::int64_t kNothingDone = -9223372036854775807;
bool is_restart(const TxSnapshot &before);
TxSnapshot restart_snapshot();

struct EventRef {
    std::int64_t id;
    std::uint64_t xid;
};

// A row as it came: nothing is detoasted before somebody needs it.
struct EventRow {
    std::int64_t id;
    std::uint64_t xid;
    Datum name, rooms, payload, headers;
    TransactionId xmin;  // who wrote the row: the transaction itself, or one of its subtransactions
    int room_count;
    int slot;
    bool has_attachments;
    bool has_channel;
    Datum channel;
};

// The events of transactions that ended between P and S, ordered by id; nullopt when there are more than `limit`.
std::optional<std::vector<EventRow>> read_ended(const TxSnapshot &before, const TxSnapshot &upto, std::int64_t limit);
// The same set after the progress's done_id as references, at most `limit`.
std::vector<EventRef> read_refs(const Progress &progress, std::int64_t limit);
// The rows of references, ordered by id. A row that is gone (retention) is left out. restart: rows of another
// cluster's transactions are wanted.
std::vector<EventRow> read_rows(const std::vector<EventRef> &refs, bool restart);

// Whether a slot holds an event of a transaction that ended between P and S. Nobody may be writing there.
bool has_undispatched(int slot, const TxSnapshot &before, const TxSnapshot &upto);

// A backlog larger than one chunk, read once: a holdable cursor over its references, in this session. A new process
// opens its own.
class Backlog {
public:
    // Opens the cursor unless it stands exactly where the progress says.
    void follow(const Progress &progress);
    // The next references, at most `limit`, without taking them. Empty at the end.
    std::vector<EventRef> peek(std::int64_t limit);
    // Everything up to this id is done.
    void take(std::int64_t done_id);
    bool exhausted() const { return buffer_.empty() && at_end_; }
    std::int64_t left() const { return left_; }
    // How many events make a chunk of that many deliveries, by what the events done so far had: a little more rather than less.
    std::int64_t events_for(std::int64_t deliveries) const;
    void note(std::int64_t events, std::int64_t deliveries) {
        rooms_an_event_ = static_cast<double>(deliveries) / static_cast<double>(events);
    }
    void close();

private:
    Progress at_;
    bool open_ = false, at_end_ = false;
    std::int64_t left_ = 0;  // -1: not counted yet
    double rooms_an_event_ = 1;
    std::deque<EventRef> buffer_;
};

}  // namespace pulse::dispatch
