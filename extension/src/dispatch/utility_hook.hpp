// Commands that concern the workers: they leave a database before DROP, RENAME, SET TABLESPACE and CREATE … TEMPLATE,
// which would fail or wait because of them, and come back when that transaction is over, whatever its end. CREATE and DROP
// EXTENSION, CREATE DATABASE and COMMIT PREPARED wake whom they concern. Never refuses a command.
#pragma once

namespace pulse::dispatch {

void init_utility_hook();  // from _PG_init while preloading

}  // namespace pulse::dispatch
