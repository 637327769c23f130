// Waiting for a synchronous standby after a commit instead of inside it. PostgreSQL's own wait holds interrupts: the process then
// answers no ProcSignalBarrier, and a DROP DATABASE anywhere in the cluster waits for it. This wait answers everything.
#pragma once

#include "pg/pg.hpp"

namespace pulse::pg {

// Whether this server's default synchronous_commit asks for a standby and there is one to ask for. The session's own
// setting does not matter: a worker that waits here commits with 'local'.
bool standby_wanted();
// Whether the standby has this position, or nobody asks for it any longer.
bool standby_has(XLogRecPtr position);
// Returns when the standby has this position, or nobody asks for it any longer. May throw pg::Error, or end the process.
void wait_for_standby(XLogRecPtr position);

}  // namespace pulse::pg
