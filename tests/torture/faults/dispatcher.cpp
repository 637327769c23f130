// The faults of the dispatcher, by the setting pulse.fault:
//   abort     now and then an event of a transaction or savepoint that was rolled back is dispatched
//   reorder   a tick is ordered by (xid, id), not by id
//   skip      now and then a position is left out
#include "dispatch/faults.hpp"

#include <algorithm>
#include <set>

namespace pulse::dispatch::faults {

namespace {

constexpr const char *kSetting = "pulse.fault";
constexpr int kEvery = 20;  // ticks with events
char *fault = nullptr;
int ticks = 0;

bool is(std::string_view name) { return fault != nullptr && name == fault; }

bool now_and_then() { return ++ticks % kEvery == 0; }

EventRow row_of(HeapTuple tuple, TupleDesc description) {
    Datum values[11];
    bool nulls[11];
    HeapTuple copy = heap_copytuple(tuple);
    heap_deform_tuple(copy, description, values, nulls);
    EventRow row{};
    row.id = DatumGetInt64(values[0]);
    row.xid = DatumGetUInt64(values[1]);
    row.slot = DatumGetInt16(values[2]);
    row.name = values[4];
    row.rooms = values[5];
    row.payload = values[6];
    row.headers = values[7];
    row.has_attachments = !nulls[8];
    row.xmin = HeapTupleHeaderGetXmin(copy->t_data);
    row.room_count = ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(row.rooms)), ARR_DIMS(DatumGetArrayTypeP(row.rooms)));
    return row;
}

// An aborted event that was not dispatched yet, looked at in spite of every snapshot.
std::optional<EventRow> aborted_event() {
    static std::set<std::int64_t> done;
    for (const char *name : {"events_0", "events_1", "events_2"}) {
        EventRow found{};
        const bool any = pg::call([&] {
            Relation relation = table_open(get_relname_relid(name, get_namespace_oid("_pulse", false)), AccessShareLock);
            TableScanDesc scan = table_beginscan(relation, SnapshotAny, 0, nullptr);
            bool hit = false;
            while (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection)) {
                if (!TransactionIdDidAbort(HeapTupleHeaderGetXmin(tuple->t_data))) continue;
                found = row_of(tuple, RelationGetDescr(relation));
                if (VARATT_IS_EXTERNAL(DatumGetPointer(found.payload)) || done.contains(found.id)) continue;
                hit = true;
                break;
            }
            table_endscan(scan);
            table_close(relation, AccessShareLock);
            return hit;
        });
        if (!any) continue;
        done.insert(found.id);
        return found;
    }
    return std::nullopt;
}

}  // namespace

void define() {
    DefineCustomStringVariable(kSetting, "Fault to plant.", "Only in builds for tests.", &fault, "", PGC_SIGHUP, 0, nullptr, nullptr,
                               nullptr);
}

void spoil(std::vector<EventRow> &rows) {
    if (is("reorder")) {
        std::stable_sort(rows.begin(), rows.end(), [](const EventRow &a, const EventRow &b) { return a.xid < b.xid; });
    } else if (is("abort") && !rows.empty() && now_and_then()) {
        if (const auto event = aborted_event()) rows.push_back(*event);
    }
}

std::int64_t skipped() { return is("skip") && now_and_then() ? 1 : 0; }

}  // namespace pulse::dispatch::faults
