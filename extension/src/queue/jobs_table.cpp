#include "queue/jobs_table.hpp"

namespace pulse::queue {

JobsTable::JobsTable() : exceptions_(std::uncaught_exceptions()) {
    pg::call([&] {
        Oid wanted;
        do {
            const Oid schema = get_namespace_oid("_pulse", true);
            wanted = OidIsValid(schema) ? get_relname_relid("jobs", schema) : InvalidOid;
            if (!OidIsValid(wanted)) ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("extension pulse is not installed")));
            table_ = try_table_open(wanted, RowExclusiveLock);
            ids_ = get_relname_relid("job_id_seq", schema);
        } while (table_ == nullptr);
    });
}

}  // namespace pulse::queue
