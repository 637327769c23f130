#include "pg/leftovers.hpp"

#include "pg/worker.hpp"

extern "C" void AtEOXact_LargeObject(bool is_commit);  // libpq/be-fsstubs.h

namespace pulse::pg {

static bool locks_may_be_held = false;
static bool temporary_is_ours = false;  // the session had no temporary objects before user code made some

static bool has_temporary() {
    Oid tables = InvalidOid, toast = InvalidOid;
    GetTempNamespaceState(&tables, &toast);
    return OidIsValid(tables);
}

Leftovers::Leftovers() : had_temporary_(has_temporary()) { release_session_locks_at_end(); }

void Leftovers::drop_temporary() const {
    if (!has_temporary()) return;
    if (!had_temporary_) temporary_is_ours = true;  // the empty schema stays with the session
    if (temporary_is_ours) call([] { ResetTempTableNamespace(); });
}

void release_session_locks_at_end() { locks_may_be_held = true; }

static void on_xact(XactEvent event, void *) {
    if (!locks_may_be_held || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)) return;
    locks_may_be_held = false;
    callback("releasing the advisory locks of a session", [] { LockReleaseSession(USER_LOCKMETHOD); });
}

void close_all() {
    call([] {
        PortalHashTableDeleteAll();
        AtEOXact_LargeObject(true);
    });
}

void forget_all() {
    if (has_temporary()) transaction([] { call([] { ResetTempTableNamespace(); }); });
    call([] {
        DropAllPreparedStatements();
        LockReleaseAll(USER_LOCKMETHOD, true);
        ResetSequenceCaches();
    });
}

void init_leftovers() { RegisterXactCallback(on_xact, nullptr); }

}  // namespace pulse::pg
