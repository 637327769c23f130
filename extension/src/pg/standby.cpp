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

void wait_for_standby(XLogRecPtr position) {
    long pause = 1;
    for (;;) {
        const int mode = wait_mode();
        if (!standby_wanted()) return;
        LWLockAcquire(SyncRepLock, LW_SHARED);
        const bool there = WalSndCtl->lsn[mode] >= position;
        LWLockRelease(SyncRepLock);
        if (there) return;
        wait(pause);
        pause = std::min(pause * 2, 16L);
    }
}

}  // namespace pulse::pg
