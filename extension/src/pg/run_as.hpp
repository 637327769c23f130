// Running code as another role. Never SET ROLE: user code could RESET it. Under SECURITY_LOCAL_USERID_CHANGE PostgreSQL
// itself refuses SET ROLE, RESET ROLE and SET SESSION AUTHORIZATION.
// What user code leaves behind for the commit would run as the session's role. So while a RunAs is open, holdable
// cursors are refused (their query runs at commit), and force_deferred() fires deferred constraints before it ends.
// LISTEN, PREPARE, DEALLOCATE and DISCARD are refused too: the session belongs to the bridge or a worker.
// Callers: handle (client code as pulse_client), job workers, and every function that reads the private tables as owner.
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

class RunAs {
public:
    explicit RunAs(Oid role);
    ~RunAs();
    RunAs(const RunAs &) = delete;
    RunAs &operator=(const RunAs &) = delete;

private:
    Oid user_;
    int security_;
    int depth_;
};

// Fires all deferred constraints of this transaction now, as the current role; they stay immediate until it ends.
void force_deferred();

// The owner of the running function: the owner of the extension. For reading and writing the private tables.
Oid function_owner(FunctionCallInfo fcinfo);

// Settings changed inside go back at the end, by set() or by user code's SET. After an Error the end of the (sub)transaction does it.
class SettingScope {
public:
    SettingScope() : level_(NewGUCNestLevel()), exceptions_(std::uncaught_exceptions()) {}
    ~SettingScope();
    SettingScope(const SettingScope &) = delete;
    SettingScope &operator=(const SettingScope &) = delete;
    void set(const char *name, const char *value);

private:
    int level_;
    int exceptions_;
};

// Our own SQL: as owner, and with a search_path in which nobody else's objects are.
class OwnerScope {
public:
    explicit OwnerScope(Oid owner) : role_(owner) { settings_.set("search_path", "pg_catalog, pg_temp"); }

private:
    RunAs role_;
    SettingScope settings_;
};

void init_run_as();  // once a process, from _PG_init

}  // namespace pulse::pg
