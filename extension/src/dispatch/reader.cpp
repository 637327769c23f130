// The queries of dispatching. They run with sequential scans off: the tables are small whenever they are analysed,
// and a plan made then must still be right with a backlog of millions.
#include "dispatch/reader.hpp"

#include <algorithm>

namespace pulse::dispatch {

#define PULSE_EVENT_COLUMNS                                                                                                         \
    "e.id, e.xid, e.name, e.rooms, e.payload, e.headers, e.attachments IS NOT NULL AND cardinality(e.attachments) > 0, e.channel, " \
    "cardinality(e.rooms), e.xmin, e.slot"

static pg::Plan::Param param_xids(const std::vector<std::uint64_t> &xids) { return {XID8ARRAYOID, pg::xid8_array_datum(xids)}; }
static pg::Plan::Param param_xid(std::uint64_t xid) { return {XID8OID, UInt64GetDatum(xid)}; }

static EventRow event_row(const pg::Row &row) {
    EventRow event;
    event.id = row.int8(1);
    event.xid = row.xid8(2);
    event.name = row.datum(3);
    event.rooms = row.datum(4);
    event.payload = row.datum(5);
    event.headers = row.datum(6);
    event.has_attachments = row.boolean(7);
    event.has_channel = !row.is_null(8);
    event.channel = event.has_channel ? row.datum(8) : Datum(0);
    event.room_count = row.int4(9);
    event.xmin = DatumGetTransactionId(row.datum(10));
    event.slot = DatumGetInt16(row.datum(11));
    return event;
}

// A row belongs to the transaction in its xid column when that one wrote it, itself or in a subtransaction, whose id is
// higher. A row copied from another cluster may carry an id that this cluster only reaches later: it had its turn
// when P was started again, and must not have another.
static bool is_own(const EventRow &event) { return TransactionIdFollowsOrEquals(event.xmin, static_cast<TransactionId>(event.xid)); }

bool is_restart(const TxSnapshot &before) { return before == restart_snapshot(); }
TxSnapshot restart_snapshot() { return {FirstNormalTransactionId, FirstNormalTransactionId, {}}; }

static bool comes_before(const EventRow &a, const EventRow &b) { return a.id != b.id ? a.id < b.id : a.xid < b.xid; }

std::optional<std::vector<EventRow>> read_ended(const TxSnapshot &before, const TxSnapshot &upto, std::int64_t limit) {
    // $3 only repeats what the snapshot says already; it keeps the rule true under a newer one.
    static pg::Plan range("SELECT " PULSE_EVENT_COLUMNS
                          " FROM pulse.events e WHERE e.xid >= $1 AND e.xid < $2 AND e.xid <> ALL ($3) LIMIT $4");
    static pg::Plan listed("SELECT " PULSE_EVENT_COLUMNS " FROM pulse.events e WHERE e.xid = ANY ($1) LIMIT $2");
    const Ended ended = ended_between(before, upto);
    std::vector<EventRow> events;
    const auto keep = [&](const pg::Row &row) { events.push_back(event_row(row)); };
    if (ended.from < ended.to)
        range.for_each({param_xid(ended.from), param_xid(ended.to), param_xids(ended.still_running), pg::param_int8(limit + 1)}, keep,
                       true);
    const auto left = limit - static_cast<std::int64_t>(events.size());
    if (!ended.listed.empty() && left >= 0) listed.for_each({param_xids(ended.listed), pg::param_int8(left + 1)}, keep, true);
    if (static_cast<std::int64_t>(events.size()) > limit) return std::nullopt;
    std::erase_if(events, [](const EventRow &event) { return !is_own(event); });
    std::sort(events.begin(), events.end(), comes_before);
    return events;
}

// A backlog's set as SQL text: a cursor takes no parameters, and it is planned once for all its chunks.
static std::string refs_query(const Progress &progress) {
    const std::string select =
        "SELECT e.id, e.xid FROM pulse.events e WHERE e.id > " + std::to_string(progress.done_id.value_or(kNothingDone));
    if (is_restart(progress.before)) return select + " EXCEPT SELECT unnest(t.ids), unnest(t.xids) FROM pulse.ticks t";
    const Ended ended = ended_between(progress.before, progress.upto);
    const auto list = [](const std::vector<std::uint64_t> &xids) {
        std::string text = "'{";
        for (size_t i = 0; i < xids.size(); ++i) text += (i > 0 ? "," : "") + std::to_string(xids[i]);
        return text + "}'::xid8[]";
    };
    const auto xid = [](std::uint64_t value) { return "'" + std::to_string(value) + "'::xid8"; };
    return select + " AND e.xid >= " + xid(ended.from) + " AND e.xid < " + xid(ended.to) + " AND e.xid <> ALL (" +
           list(ended.still_running) + ") UNION ALL " + select + " AND e.xid = ANY (" + list(ended.listed) + ")";
}

std::vector<EventRef> read_refs(const Progress &progress, std::int64_t limit) {
    const std::string sql = refs_query(progress) + " ORDER BY 1, 2";
    std::vector<EventRef> refs;
    pg::call([&] {
        if (SPI_execute(sql.c_str(), true, limit) != SPI_OK_SELECT) elog(ERROR, "could not read the backlog");
    });
    for (uint64 i = 0; i < SPI_processed; ++i) {
        const pg::Row row = pg::result_row(i);
        refs.push_back({row.int8(1), row.xid8(2)});
    }
    return refs;
}

// By a stretch of the index for each transaction, not by a probe for each row: a backlog has few transactions with many rows, or many
// with one. What is in such a stretch and not among the references (dispatched already, in another cluster) is left out.
std::vector<EventRow> read_rows(const std::vector<EventRef> &refs, bool restart) {
    static pg::Plan plan("SELECT " PULSE_EVENT_COLUMNS " FROM pulse.events e WHERE e.xid = ANY ($1) AND e.id >= $2 AND e.id <= $3");
    std::vector<EventRow> events;
    if (refs.empty()) return events;
    std::vector<std::uint64_t> xids;
    for (const EventRef &ref : refs)
        if (xids.empty() || xids.back() != ref.xid) xids.push_back(ref.xid);
    std::sort(xids.begin(), xids.end());
    xids.erase(std::unique(xids.begin(), xids.end()), xids.end());
    events.reserve(refs.size());
    plan.for_each(
        {param_xids(xids), pg::param_int8(refs.front().id), pg::param_int8(refs.back().id)},
        [&](const pg::Row &row) { events.push_back(event_row(row)); }, true);
    std::sort(events.begin(), events.end(), comes_before);
    auto ref = refs.begin();
    std::erase_if(events, [&](const EventRow &event) {
        while (ref != refs.end() && (ref->id != event.id ? ref->id < event.id : ref->xid < event.xid)) ++ref;
        return ref == refs.end() || ref->id != event.id || ref->xid != event.xid || (!restart && !is_own(event));
    });
    return events;
}

bool has_undispatched(int slot, const TxSnapshot &before, const TxSnapshot &upto) {
    // More rows of another cluster than this in one place do not happen; if they do, the slot stays.
    constexpr int64 kMostForeign = 1000;
    static pg::Plan range("SELECT e.xid, e.xmin FROM pulse.events e WHERE e.slot = $1 AND e.xid >= $2 AND e.xid < $3 LIMIT $4");
    static pg::Plan listed("SELECT e.xid, e.xmin FROM pulse.events e WHERE e.slot = $1 AND e.xid = ANY ($2) LIMIT $3");
    const pg::Plan::Param of_slot{INT2OID, Int16GetDatum(static_cast<int16>(slot))};
    const Ended ended = ended_between(before, upto);
    bool found = false;
    const auto look = [&](const pg::Row &row) {
        EventRow event;
        event.xid = row.xid8(1);
        event.xmin = DatumGetTransactionId(row.datum(2));
        found = found || is_own(event);
    };
    uint64 most = 0;
    if (ended.from < ended.to)
        most = range.for_each({of_slot, param_xid(ended.from), param_xid(ended.to), pg::param_int8(kMostForeign)}, look, true);
    if (!ended.listed.empty())
        most = std::max(most, listed.for_each({of_slot, param_xids(ended.listed), pg::param_int8(kMostForeign)}, look, true));
    return found || most == static_cast<uint64>(kMostForeign);
}

static constexpr const char *kCursor = "pulse_backlog";

void Backlog::follow(const Progress &progress) {
    if (open_ && at_.before == progress.before && at_.upto == progress.upto && at_.done_id == progress.done_id) return;
    close();
    at_ = progress;
    const std::string sql = std::string("DECLARE ") + kCursor +
                            " NO SCROLL CURSOR WITH HOLD FOR SELECT r.id, r.xid, count(*) OVER () FROM (" + refs_query(progress) +
                            ") AS r (id, xid) ORDER BY 1, 2";
    pg::call([&] {
        if (SPI_execute(sql.c_str(), false, 0) < 0) elog(ERROR, "could not open the backlog");
    });
    left_ = -1;
    open_ = true;
    at_end_ = false;
}

std::vector<EventRef> Backlog::peek(std::int64_t limit) {
    const auto wanted = limit - static_cast<std::int64_t>(buffer_.size());
    if (wanted > 0 && !at_end_) {
        pg::call([&] {
            Portal portal = SPI_cursor_find(kCursor);
            if (portal == nullptr) elog(ERROR, "the backlog's cursor is gone");
            SPI_cursor_fetch(portal, true, wanted);
        });
        for (uint64 i = 0; i < SPI_processed; ++i) {
            const pg::Row row = pg::result_row(i);
            if (left_ < 0) left_ = row.int8(3);
            buffer_.push_back({row.int8(1), row.xid8(2)});
        }
        at_end_ = static_cast<std::int64_t>(SPI_processed) < wanted;
    }
    const auto count = std::min(static_cast<std::ptrdiff_t>(limit), static_cast<std::ptrdiff_t>(buffer_.size()));
    return {buffer_.begin(), buffer_.begin() + count};
}

std::int64_t Backlog::events_for(std::int64_t deliveries) const {
    const auto events = static_cast<std::int64_t>(static_cast<double>(deliveries) / rooms_an_event_ * 1.05) + 1;
    return std::min(events, deliveries);
}

void Backlog::take(std::int64_t done_id) {
    while (!buffer_.empty() && buffer_.front().id <= done_id) {
        buffer_.pop_front();
        --left_;
    }
    at_.done_id = done_id;
}

void Backlog::close() {
    if (open_) {
        pg::call([] {
            if (Portal portal = SPI_cursor_find(kCursor)) SPI_cursor_close(portal);
        });
    }
    open_ = false;
    buffer_.clear();
    left_ = 0;
}

}  // namespace pulse::dispatch
