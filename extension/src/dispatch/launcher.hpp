// The launcher: one process a cluster. Starts a dispatcher and a job worker for every database that pulse.databases names
// and that has the extension, starts them again when they end, and stops those of databases no longer named.
// Connected to no database, so it is in nobody's way. Sleeps until something happens; looks around once a minute.
#pragma once

namespace pulse::dispatch {

void register_launcher();  // from _PG_init while preloading

}  // namespace pulse::dispatch
