// _pulse.jobs as this process knows it, for who writes new jobs: looked up once, and again after every change of the table.
#pragma once

#include "pg/shape.hpp"

namespace pulse::queue {

struct JobTable {
    Oid jobs, ids, owner;  // ids: the sequence
    // Of new jobs without keys, by their state.
    pg::Shape available, scheduled;
};

// Open for inserts until it goes out of scope; the lock stays until the transaction ends. Raises when the extension is not in this
// database.
class OpenJobTable {
public:
    OpenJobTable();
    ~OpenJobTable();
    OpenJobTable(const OpenJobTable &) = delete;
    OpenJobTable &operator=(const OpenJobTable &) = delete;
    Relation get() const { return relation_; }
    const JobTable *operator->() const { return &known_; }

private:
    const JobTable &known_;
    Relation relation_ = nullptr;
    int exceptions_;
};

Oid job_table_owner();  // of the extension
void init_job_table();  // once a process, from _PG_init

}  // namespace pulse::queue
