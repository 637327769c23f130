// Refusals are answers to clients, not failures of the server.
#pragma once

namespace pulse::handle {

void init_quiet();  // once a process, from _PG_init

}  // namespace pulse::handle
