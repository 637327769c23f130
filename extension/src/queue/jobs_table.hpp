// _pulse.jobs for who reads and writes its rows without plans.
#pragma once

#include "pg/guard.hpp"

namespace pulse::queue {

// Its columns in their order, from 0.
enum JobColumn {
    kId,
    kQueue,
    kKind,
    kArgs,
    kFunction,
    kState,
    kPriority,
    kRunAt,
    kAttempt,
    kMaxAttempts,
    kUniqueKey,
    kTimeout,
    kRole,
    kLastError,
    kCreatedAt,
    kAttemptedAt,
    kChannel,
    kPartitionKey,
    kOnEnd,
    kTraceparent,
    kWorker,
    kLeaseUntil,
    kCancelledAt,
    kErrors,
    kJobColumns
};

// The table, open for writing until it goes out of scope, and the sequence of ids. Locking processes invalidations: the table may turn
// out to be gone and another in its place.
class JobsTable {
public:
    JobsTable();
    ~JobsTable() {
        if (std::uncaught_exceptions() == exceptions_) table_close(table_, NoLock);  // the lock ends with the transaction
    }
    JobsTable(const JobsTable &) = delete;
    JobsTable &operator=(const JobsTable &) = delete;

    Relation table() const { return table_; }
    int64 next_id() const { return nextval_internal(ids_, false); }  // may ereport: inside call()

private:
    Relation table_ = nullptr;
    Oid ids_ = InvalidOid;
    int exceptions_;
};

}  // namespace pulse::queue
