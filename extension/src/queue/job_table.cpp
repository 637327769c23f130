// The copy, and opening the table.
#include "queue/job_table.hpp"

#include "pg/heap.hpp"
#include "pg/text.hpp"
#include "pg/watched.hpp"
#include "queue/job_columns.hpp"

namespace pulse::queue {

namespace {

JobTable known;
constinit pg::WatchedTables watched{"jobs"};

void learn(pg::Shape &shape, Relation jobs, const char *state) {
    using enum JobColumns::Number;
    Datum values[kJobColumns] = {};
    bool nulls[kJobColumns];
    std::fill(std::begin(nulls), std::end(nulls), true);
    values[kState] = PointerGetDatum(cstring_to_text(state));
    nulls[kState] = false;
    shape.learn(jobs, {kState + 1, kUniqueKey + 1, kPartitionKey + 1}, values, nulls);
}

const JobTable &job_table() {
    watched.refresh([](std::optional<Oid> owner) {
        if (!owner)
            pg::fail(ERRCODE_UNDEFINED_OBJECT, "extension pulse is not installed in this database", {}, "Run CREATE EXTENSION pulse.");
        known.owner = *owner;
        const pg::OwnTable jobs("jobs");
        pg::call([&] {
            known.jobs = RelationGetRelid(jobs.get());
            known.ids = pg::own_relation("job_id_seq");
            learn(known.available, jobs.get(), "available");
            learn(known.scheduled, jobs.get(), "scheduled");
        });
    });
    return known;
}

}  // namespace

// Locking processes invalidations: what is known may be known no longer.
OpenJobTable::OpenJobTable() : known_(job_table()), exceptions_(std::uncaught_exceptions()) {
    for (;;) {
        pg::call([&] { relation_ = try_table_open(known_.jobs, RowExclusiveLock); });
        if (relation_ != nullptr && watched.is_valid()) return;
        if (relation_ != nullptr) pg::call([&] { table_close(relation_, RowExclusiveLock); });
        watched.forget();
        (void)job_table();
    }
}

OpenJobTable::~OpenJobTable() {
    if (std::uncaught_exceptions() == exceptions_) table_close(relation_, NoLock);
}

Oid job_table_owner() { return job_table().owner; }

void init_job_table() { watched.init(); }

}  // namespace pulse::queue
