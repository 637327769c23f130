// The steps of a tick, in the order that README.md explains.
#include "dispatch/tick.hpp"

#include "dispatch/chunk.hpp"
#include "dispatch/faults.hpp"
#include "guc.hpp"
#include "pg/shmem.hpp"

namespace pulse::dispatch {

namespace {

// What is due now, and how the tick's row will describe it.
struct Due {
    TxSnapshot before, upto;
    std::vector<EventRow> rows;
    bool from_backlog;
    bool last_chunk;                      // nothing between before and upto is left when all rows are done
    std::int64_t last_id = kNothingDone;  // of a backlog's chunk, whether its row is still there or not
};

Due backlog_chunk(const Progress &progress, Backlog *backlog) {
    Due due{progress.before, progress.upto, {}, true, false};
    const std::int64_t limit = backlog != nullptr ? backlog->events_for(guc::dispatch_chunk) : guc::dispatch_chunk;
    std::vector<EventRef> refs;
    if (backlog != nullptr) {
        backlog->follow(progress);
        refs = backlog->peek(limit);
    } else {
        refs = read_refs(progress, limit);
    }
    due.last_chunk = static_cast<std::int64_t>(refs.size()) < limit;
    if (!refs.empty()) due.last_id = refs.back().id;
    due.rows = read_rows(refs, is_restart(progress.before));
    return due;
}

Due find_due(const Progress &progress, const TxSnapshot &now, Backlog *backlog) {
    if (progress.done_id) return backlog_chunk(progress, backlog);
    const TxSnapshot &before = progress.upto;
    const std::uint64_t next = pg::call([] { return U64FromFullTransactionId(ReadNextFullTransactionId()); });
    if (before.xmax > next) {
        pg::call(
            [] { ereport(LOG, (errmsg("pulse: the log was written by another cluster; dispatching everything that has no position"))); });
        return backlog_chunk({restart_snapshot(), now, kNothingDone, progress.last_position, {}}, backlog);
    }
    if (now.xmax < before.xmax) pg::fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "the tick's snapshot is older than the last tick's");
    const std::int64_t limit = guc::dispatch_chunk;
    auto rows = read_ended(before, now, limit);
    if (rows) faults::spoil(*rows);
    if (rows && fitting(*rows, limit) == rows->size()) return {before, now, *std::move(rows), false, true};
    return backlog_chunk({before, now, kNothingDone, progress.last_position, {}}, backlog);
}

void log_poison(const Written &written) {
    pg::DatabaseEntry *entry = pg::my_database();
    for (const Poison &poison : written.poison) {
        if (entry != nullptr) pg_atomic_fetch_add_u64(&entry->quarantined, 1);
        pg::call([&] {
            ereport(WARNING, (errcode(poison.error.sqlstate),
                              errmsg("event %lld cannot be dispatched and is in quarantine at position %lld",
                                     static_cast<long long>(poison.row.id), static_cast<long long>(poison.position)),
                              errdetail_internal("%s", poison.error.message)));
        });
    }
}

void note_time() {
    if (pg::DatabaseEntry *entry = pg::my_database()) pg_atomic_write_u64(&entry->last_tick_at, static_cast<uint64>(GetCurrentTimestamp()));
}

void note_backlog(std::int64_t left) {
    if (pg::DatabaseEntry *entry = pg::my_database()) pg_atomic_write_u64(&entry->backlog, left > 0 ? static_cast<uint64>(left) : 0);
}

}  // namespace

TickResult tick(Announcer &announcer, Backlog *backlog, bool careful) {
    check_transaction("a tick");
    if (!lock_dispatch()) return {.extension_gone = true};
    TickResult result;
    const pg::LatestSnapshot active;  // after the lock: it sees every tick that was
    const pg::SpiSession spi;
    const TxSnapshot now = current_snapshot();
    const Progress progress = load_progress();
    const Due due = find_due(progress, now, backlog);
    note_time();
    if (due.rows.empty()) {
        result.more = due.from_backlog;
        if (due.last_chunk)
            finish_idle(due.from_backlog ? due.upto : now);
        else
            skip_backlog(due.before, due.upto, due.last_id);
        if (backlog != nullptr && due.from_backlog) due.last_chunk ? backlog->close() : backlog->take(due.last_id);
        return result;
    }

    const std::size_t count = fitting(due.rows, guc::dispatch_chunk);
    const std::span<const EventRow> rows(due.rows.data(), count);
    const std::int64_t first = progress.last_position + 1 + faults::skipped();
    const std::int64_t last = first + static_cast<std::int64_t>(count) - 1;
    const bool done = due.last_chunk && count == due.rows.size();
    const bool with_lines = announcer.wants_lines(static_cast<std::int64_t>(count), due.from_backlog);
    const Epoch &epoch = current_epoch(progress.last_position);

    Written written;
    ChunkWriter writer;
    if (careful)
        writer.write_carefully(rows, first, with_lines, written);
    else
        writer.write(rows, first, with_lines, written);
    const std::int64_t done_id = count == due.rows.size() ? due.last_id : rows.back().id;
    Progress next{due.before, due.upto, done ? std::nullopt : std::optional(done_id), last, progress.slot_ends};
    for (std::size_t i = 0; i < count; ++i)
        next.slot_ends.at(static_cast<std::size_t>(rows[i].slot)) = first + static_cast<std::int64_t>(i);
    writer.write_tick(rows, first, next);
    writer.close();
    pg::call([] { ForceSyncCommit(); });  // from SQL too: a position once shown is never used again
    remember_at_commit(next, static_cast<std::int64_t>(count));
    log_poison(written);
    announcer.announce(epoch, first, last, with_lines, written.lines, written.legacy);

    if (backlog != nullptr && due.from_backlog) {
        if (done)
            backlog->close();
        else
            backlog->take(done_id);
        note_backlog(backlog->left());
        backlog->note(static_cast<std::int64_t>(count), deliveries_of(rows));
    }
    result.events = static_cast<std::int64_t>(count);
    result.more = due.from_backlog;
    return result;
}

}  // namespace pulse::dispatch
