// Deliveries, quarantine and the tick's row of one chunk.
#include "dispatch/chunk.hpp"

#include "json/slice.hpp"

#include <algorithm>

namespace pulse::dispatch {

// A payload above this is never looked at: even without its white space it fits into no notification.
static constexpr Size kLargestWorthReading = 64 * 1024;

static Relation open_partition(const char *table, int slot) {
    return pg::call([&] {
        char name[NAMEDATALEN];
        snprintf(name, sizeof name, "%s_%d", table, slot);
        const Oid oid = get_relname_relid(name, get_namespace_oid("_pulse", false));
        if (!OidIsValid(oid)) ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table \"_pulse.%s\" does not exist", name)));
        return table_open(oid, RowExclusiveLock);
    });
}

static bool short_enough(Datum datum) {
    return pg::call([=] { return toast_raw_datum_size(datum) <= kLargestWorthReading; });
}

std::int64_t deliveries_of(std::span<const EventRow> rows) {
    std::int64_t deliveries = 0;
    for (const EventRow &row : rows) deliveries += std::max(row.room_count, 1);
    return deliveries;
}

std::size_t fitting(const std::vector<EventRow> &rows, std::int64_t limit) {
    std::int64_t deliveries = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        deliveries += std::max(rows[i].room_count, 1);
        if (deliveries > limit && i > 0) return i;
    }
    return rows.size();
}

ChunkWriter::ChunkWriter(std::int16_t slot)
    : slot_(slot), deliveries_(open_partition("deliveries", slot_)), ticks_(open_partition("ticks", slot_)) {}

void ChunkWriter::close() {
    deliveries_.close();
    ticks_.close();
}

void ChunkWriter::write_event(const EventRow &row, std::int64_t position, bool with_lines, Written &written) {
    const auto rooms = pg::text_array(row.rooms);
    std::string rooms_json = "[";
    for (const auto &room : rooms) {
        if (!room) pg::fail(ERRCODE_NOT_NULL_VIOLATION, "a room of the event is null");
        pending_.push_back({*room, position, &row});
        if (with_lines) {
            if (rooms_json.size() > 1) rooms_json += ',';
            json::append_quoted(rooms_json, *room);
        }
    }
    if (row.has_channel) {
        const std::string_view channel = pg::view(row.channel);
        if (channel.empty() || channel.size() >= NAMEDATALEN)
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "legacy channel must have 1 to 63 bytes");
        std::string payload = short_enough(row.payload) ? legacy_payload(pg::view(row.payload), row.id) : legacy_truncated(row.id);
        written.legacy.push_back({std::string(channel), std::move(payload)});
    }
    if (with_lines) {
        rooms_json += ']';
        const bool by_reference = row.has_attachments || !short_enough(row.payload);
        const std::string_view headers = short_enough(row.headers) ? pg::view(row.headers) : std::string_view();
        written.lines.push_back({position, row.id, std::move(rooms_json), pg::view(row.name), headers,
                                 by_reference ? std::string_view() : pg::view(row.payload), by_reference});
    }
}

void ChunkWriter::write(std::span<const EventRow> rows, std::int64_t first, bool with_lines, Written &written) {
    pending_.clear();
    for (std::size_t i = 0; i < rows.size(); ++i) write_event(rows[i], first + static_cast<std::int64_t>(i), with_lines, written);
    // In the order of the index: neighbours go into the same page of it, which is then at hand.
    std::sort(pending_.begin(), pending_.end(), [](const Delivery &a, const Delivery &b) {
        const int order = a.room.compare(b.room);
        return order != 0 ? order < 0 : a.position < b.position;
    });
    for (const Delivery &delivery : pending_)
        deliveries_.add({pg::text_datum(delivery.room), Int64GetDatum(delivery.position), UInt64GetDatum(delivery.row->xid),
                         Int64GetDatum(delivery.row->id), Int16GetDatum(slot_)});
    deliveries_.flush();
}

// Errors that come back for every event, or that no event can have caused.
static bool is_nobodys_fault(int sqlstate) {
    switch (ERRCODE_TO_CATEGORY(sqlstate)) {
        case ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES):
        case ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION):
        case ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR):
        case ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK):
        case ERRCODE_TO_CATEGORY(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE):
        case ERRCODE_TO_CATEGORY(ERRCODE_INVALID_TRANSACTION_STATE): return true;
        default: return sqlstate == ERRCODE_INDEX_CORRUPTED || sqlstate == ERRCODE_UNDEFINED_TABLE;
    }
}

void ChunkWriter::write_carefully(std::span<const EventRow> rows, std::int64_t first, bool with_lines, Written &written) {
    const std::size_t lines = written.lines.size(), legacy = written.legacy.size();
    const auto error = pg::subtransaction([&] { write(rows, first, with_lines, written); });
    if (!error) return;
    deliveries_.discard();
    written.lines.resize(lines);
    written.legacy.resize(legacy);
    if (is_nobodys_fault(error->sqlstate)) throw pg::Error(*error);
    if (rows.size() > 1) {
        const std::size_t half = rows.size() / 2;
        write_carefully(rows.first(half), first, with_lines, written);
        write_carefully(rows.subspan(half), first + static_cast<std::int64_t>(half), with_lines, written);
        return;
    }
    written.poison.push_back({first, rows.front(), *error});
    static pg::Plan quarantine("INSERT INTO _pulse.quarantine (position, event_id, xid, sqlstate, message) VALUES ($1, $2, $3, $4, $5)");
    const std::string_view sqlstate = unpack_sql_state(error->sqlstate), message = error->message;
    quarantine.run({pg::param_int8(first),
                    pg::param_int8(rows.front().id),
                    {XID8OID, UInt64GetDatum(rows.front().xid)},
                    pg::param_text(sqlstate),
                    pg::param_text(message)});
}

void ChunkWriter::write_tick(std::span<const EventRow> rows, std::int64_t first, const Progress &progress) {
    const Datum before = snapshot_datum(progress.before), upto = snapshot_datum(progress.upto);
    const Datum slot_ends = pg::int8_array_datum({progress.slot_ends.begin(), progress.slot_ends.end()});
    pg::call([&] {
        const auto count = static_cast<int>(rows.size());
        auto *xids = static_cast<Datum *>(palloc(sizeof(Datum) * (rows.size() + 1)));
        auto *ids = static_cast<Datum *>(palloc(sizeof(Datum) * (rows.size() + 1)));
        for (int i = 0; i < count; ++i) {
            xids[i] = UInt64GetDatum(rows[static_cast<size_t>(i)].xid);
            ids[i] = Int64GetDatum(rows[static_cast<size_t>(i)].id);
        }
        const Datum xid_array = PointerGetDatum(construct_array(xids, count, XID8OID, sizeof(uint64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
        const Datum id_array = PointerGetDatum(construct_array(ids, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
        ticks_.add({Int64GetDatum(first), Int64GetDatum(progress.last_position), Int16GetDatum(slot_),
                    TimestampTzGetDatum(GetCurrentTimestamp()), before, upto, Int64GetDatum(progress.done_id.value_or(0)), xid_array,
                    id_array, slot_ends},
                   {false, false, false, false, false, false, !progress.done_id.has_value(), false, false, false});
        ticks_.flush();
    });
}

}  // namespace pulse::dispatch
