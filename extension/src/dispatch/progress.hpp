// How far dispatching has come: the last row of pulse.ticks, and this process's memory of it. Also the dispatch lock.
// All of it runs inside a tick's transaction and may throw pg::Error.
#pragma once

#include "dispatch/snapshot.hpp"
#include "pg/catalog.hpp"
#include "pg/spi.hpp"

namespace pulse::dispatch {

struct Progress {
    TxSnapshot before, upto;              // P and S of the last tick
    std::optional<std::int64_t> done_id;  // set: a backlog between P and S is done only up to this id
    std::int64_t last_position = 0;
    std::array<std::int64_t, pg::kSlots> slot_ends{};  // of each slot of pulse.events the highest position of an event in it
};

// Raises in a transaction that has an xid, a subtransaction open or another isolation level: `what` cannot run there.
void check_transaction(const char *what);
// The snapshot that is active now, with 64-bit ids.
TxSnapshot current_snapshot();
Datum snapshot_datum(const TxSnapshot &snapshot);

// Takes what a tick locks, in the order that DROP EXTENSION takes it too: first the extension, so that the two never
// deadlock, then the dispatch lock. Both last until the transaction ends. False: the extension is not (any longer) there.
bool lock_dispatch();

// The last tick's progress, from memory when nobody ticked since, else from the table as the active snapshot sees it.
const Progress &load_progress();
// Nothing that ended up to this snapshot is an event without a position: it is as good a P from now on. Not written anywhere.
void finish_idle(const TxSnapshot &upto);
// The same for a chunk of a backlog whose rows are all gone.
void skip_backlog(const TxSnapshot &before, const TxSnapshot &upto, std::int64_t done_id);
// To be remembered when the transaction commits, before the dispatch lock is released.
void remember_at_commit(const Progress &progress, std::int64_t events);

void init_progress();  // once a process, from _PG_init

}  // namespace pulse::dispatch
