// What user code leaves in a session beyond its transaction must not meet the next code there, which may be another's: temporary
// objects, advisory locks of the session. (What can be refused is refused, see run_as.hpp.) Callers: handle and job workers.
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

// Around a handler or a connect function, in its transaction.
class Leftovers {
public:
    Leftovers();
    // Temporary objects that were made meanwhile: they end with this transaction. Not in a session that had some of its own before.
    void drop_temporary() const;

private:
    bool had_temporary_;
};

// Advisory locks of the session are released once this transaction is over, however it ends.
void release_session_locks_at_end();

// In a process that runs nothing but such code, within its transaction: cursors and large objects that it has left open. What it may read
// was decided when it opened them, so whoever comes next could read it, too.
void close_all();

// In a process that runs nothing but such code, outside a transaction: prepared statements and sequence values too.
void forget_all();

void init_leftovers();  // once a process, from _PG_init

}  // namespace pulse::pg
