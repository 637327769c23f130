// The standby's confirmed positions, looked at every few milliseconds while a commit waits for them.
#include "pg/standby.hpp"

#include "pg/worker.hpp"

#include <cstring>

namespace pulse::pg {

// SYNC_REP_NO_WAIT or a wait mode, from the server's default of synchronous_commit.
static int wait_mode() {
    const char *level = GetConfigOptionResetString("synchronous_commit");
    if (level == nullptr || max_wal_senders == 0) return SYNC_REP_NO_WAIT;
    if (strcmp(level, "remote_write") == 0) return SYNC_REP_WAIT_WRITE;
    if (strcmp(level, "on") == 0) return SYNC_REP_WAIT_FLUSH;
    if (strcmp(level, "remote_apply") == 0) return SYNC_REP_WAIT_APPLY;
    return SYNC_REP_NO_WAIT;
}

bool standby_wanted() { return wait_mode() != SYNC_REP_NO_WAIT && SyncRepStandbyNames != nullptr && SyncRepStandbyNames[0] != '\0'; }

bool standby_has(XLogRecPtr position) {
    if (!standby_wanted()) return true;
    LWLockAcquire(SyncRepLock, LW_SHARED);
    const bool there = WalSndCtl->lsn[wait_mode()] >= position;
    LWLockRelease(SyncRepLock);
    return there;
}

void wait_for_standby(XLogRecPtr position) {
    for (long pause = 1; !standby_has(position); pause = std::min(pause * 2, 16L)) wait(pause);
}

}  // namespace pulse::pg
