// Rows of _pulse.epochs, and the shared memory flag that says that this server has opened its own.
#include "pg/shmem.hpp"
#include "pg/spi.hpp"

#include "dispatch/epoch.hpp"

namespace pulse::dispatch {

namespace {

struct Memory {
    Epoch epoch;
    bool opened = false;  // in this transaction
};

Memory &memory() {
    static Memory *const kept = new Memory;
    return *kept;
}

void finish(Memory &mine, bool committed) {
    mine.opened = false;
    if (!committed) {
        mine.epoch.epoch.clear();
        return;
    }
    if (pg::DatabaseEntry *entry = pg::my_database()) {
        LWLockAcquire(pg::shared()->lock, LW_EXCLUSIVE);
        mine.epoch.epoch.copy(entry->epoch, sizeof entry->epoch - 1);
        entry->epoch[sizeof entry->epoch - 1] = '\0';
        entry->epoch_open = true;
        LWLockRelease(pg::shared()->lock);
    }
}

void on_xact(XactEvent event, void *) {
    Memory &mine = memory();
    if (!mine.opened || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)) return;
    pg::callback("the end of the transaction that opened an epoch", [&] { finish(mine, event == XACT_EVENT_COMMIT); });
}

std::string random_hex(int bytes) {
    unsigned char buffer[16];
    if (!pg_strong_random(buffer, static_cast<size_t>(bytes))) pg::fail(ERRCODE_INTERNAL_ERROR, "could not generate random bytes");
    std::string result;
    for (int i = 0; i < bytes; ++i) {
        result += "0123456789abcdef"[buffer[i] >> 4];
        result += "0123456789abcdef"[buffer[i] & 0xF];
    }
    return result;
}

bool read_epoch(std::string_view wanted, Epoch &found) {
    static pg::Plan by_name("SELECT epoch, channel FROM _pulse.epochs WHERE epoch = $1");
    static pg::Plan newest("SELECT epoch, channel FROM _pulse.epochs ORDER BY number DESC LIMIT 1");
    const uint64 rows = wanted.empty() ? newest.run({}, true) : by_name.run({pg::param_text(wanted)}, true);
    if (rows == 0) return false;
    found.epoch = pg::result_row().text(1);
    found.channel = pg::result_row().text(2);
    return true;
}

}  // namespace

const Epoch &current_epoch(std::int64_t last_position) {
    Memory &mine = memory();
    const pg::DatabaseEntry *entry = pg::my_database();
    const bool open = entry == nullptr || entry->epoch_open;
    const std::string_view name = entry != nullptr && open ? std::string_view(entry->epoch) : std::string_view();
    if (mine.opened || (!name.empty() && name == mine.epoch.epoch)) return mine.epoch;
    if (open && read_epoch(name, mine.epoch)) return mine.epoch;
    mine.epoch = {random_hex(8), "pulse_" + random_hex(16)};
    mine.opened = true;
    static pg::Plan insert("INSERT INTO _pulse.epochs (epoch, channel, after_position) VALUES ($1, $2, $3)");
    const std::string_view epoch = mine.epoch.epoch, channel = mine.epoch.channel;
    insert.run({pg::param_text(epoch), pg::param_text(channel), pg::param_int8(last_position)});
    return mine.epoch;
}

void init_epoch() {
    memory();  // made here: on_xact must not run out of memory for it
    RegisterXactCallback(on_xact, nullptr);
}

}  // namespace pulse::dispatch
