// pulse.bridge_hello: where the stream stands and whom a bridge listens to.
#include "handle/call.hpp"
#include "json/slice.hpp"
#include "pg/log_state.hpp"
#include "pg/shmem.hpp"

using namespace pulse;

// The end of an epoch, and whether there was one of this name.
static std::string epoch_members(const std::optional<std::string> &name) {
    static pg::Plan plan("SELECT (SELECT n.after_position FROM _pulse.epochs n WHERE n.number > e.number ORDER BY n.number LIMIT 1) "
                         "FROM _pulse.epochs e WHERE e.epoch = $1");
    const bool known = name && plan.run({pg::param_text(*name)}) > 0;
    const bool ended = known && !pg::result_row().is_null(1);
    return ",\"epochKnown\":" + std::string(known ? "true" : "false") +
           ",\"epochEnd\":" + (ended ? std::to_string(pg::result_row().int8(1)) : "null");
}

PULSE_FN(pulse_bridge_hello) {
    static pg::Plan version("SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'pulse'");
    static pg::Plan epoch("SELECT e.epoch, e.channel, GREATEST(e.after_position, "
                          "(SELECT t.last_position FROM pulse.ticks t ORDER BY t.last_position DESC LIMIT 1)) "
                          "FROM _pulse.epochs e ORDER BY e.number DESC LIMIT 1");
    const Oid owner = pg::function_owner(fcinfo);
    // The pid first, and only once the server's epoch is open: a bridge must not listen on the channel of the epoch before.
    pid_t pid = 0;
    if (const auto *entry = pg::my_database())
        pid = pg::call([=] {
            LWLockAcquire(pg::shared()->lock, LW_SHARED);
            const pid_t running = entry->epoch_open ? entry->process(pg::WorkerRole::kDispatcher).pid : 0;
            LWLockRelease(pg::shared()->lock);
            return running;
        });
    std::string hello = "{\"version\":";
    {
        pg::OwnerScope scope(owner);
        pg::SpiSession spi;
        hello += version.run({}, true) > 0 ? json::quoted(pg::result_row().text(1)) : "null";
        const bool open = epoch.run() > 0;  // a snapshot taken after the pid was read
        hello += ",\"epoch\":" + (open ? json::quoted(pg::result_row().text(1)) : "null");
        hello += ",\"channel\":" + (open ? json::quoted(pg::result_row().text(2)) : "null");
        hello += ",\"dispatcherPid\":" + (pid != 0 ? std::to_string(pid) : "null");
        hello += ",\"position\":" + std::to_string(open ? pg::result_row().int8(3) : 0);
        hello += ",\"floor\":" + std::to_string(pg::log_floor());
        hello += epoch_members(PG_NARGS() > 1 ? pg::optional_text(fcinfo, 1) : std::nullopt);
    }
    return pg::text_datum(hello + "}");
}
