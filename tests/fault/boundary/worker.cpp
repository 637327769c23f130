// A background worker that fails in a given way for its first two lives and does its work in the third. What it did is in the table
// boundary.lives. Framed as the workers of pulse are: process, transactions of its own, an ERROR ends the process.
#include "pg/worker.hpp"
#include "pg/spi.hpp"
#include "pg/text.hpp"
#include "witness.hpp"

namespace pg = pulse::pg;

struct Order {
    Oid database;
    char kind[32];
};

static void work(const Order &order) {
    static pg::Plan note("INSERT INTO boundary.lives (kind, pid) VALUES ($1, pg_catalog.pg_backend_pid())");
    static pg::Plan count("SELECT pg_catalog.count(*) FROM boundary.lives WHERE kind = $1");
    int64 lives = 0;
    pg::transaction([&] {
        pg::call([] { PushActiveSnapshot(GetTransactionSnapshot()); });
        {
            pg::SpiSession session;
            note.run({pg::param_text(std::string_view(order.kind))});
            count.run({pg::param_text(std::string_view(order.kind))});
            lives = pg::result_row().int8(1);
        }
        pg::call([] { PopActiveSnapshot(); });
    });
    if (lives > 2) return;
    const Witness witness;
    pg::transaction([&] { fail_below(order.kind, 3); });
}

extern "C" PULSE_EXPORT void boundary_worker_main(Datum);
extern "C" void boundary_worker_main(Datum) {
    Order order;
    memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof order);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    pg::process([&] {
        pg::call([&] { BackgroundWorkerInitializeConnectionByOid(order.database, InvalidOid, 0); });
        work(order);
    });
    proc_exit(0);  // done: the postmaster does not start it again
}

// boundary.start_worker(library text, kind text)
PULSE_FN(boundary_start_worker) {
    BackgroundWorker worker = {};
    Order order = {};
    order.database = MyDatabaseId;
    pg_snprintf(worker.bgw_library_name, BGW_MAXLEN, "%s", pg::to_string(pg::arg(fcinfo, 0)).c_str());
    pg_snprintf(order.kind, sizeof order.kind, "%s", pg::to_string(pg::arg(fcinfo, 1)).c_str());
    memcpy(worker.bgw_extra, &order, sizeof order);
    pg_snprintf(worker.bgw_function_name, BGW_MAXLEN, "boundary_worker_main");
    pg_snprintf(worker.bgw_name, BGW_MAXLEN, "boundary %s", order.kind);
    pg_snprintf(worker.bgw_type, BGW_MAXLEN, "boundary");
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = 1;
    return BoolGetDatum(pg::call([&] { return RegisterDynamicBackgroundWorker(&worker, nullptr); }));
}
