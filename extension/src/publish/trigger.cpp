// pulse.publish_trigger: the AFTER ROW trigger that pulse.watch creates. Renders the templates of its arguments from the row and
// stores one event. Values are turned to text as the user; with on_error=warn in a subtransaction, so that whatever
// fails costs the event and never the user's statement.
#include "publish/compiled.hpp"
#include "publish/event.hpp"
#include "publish/trace.hpp"
#include "publish/warning_pace.hpp"

#include "pg/shmem.hpp"

namespace pulse::publish {

namespace {

constexpr const char *kHint = "Create the trigger with pulse.watch.";

bool same(Compared &column, const FiredRows &rows) {
    const int i = column.attribute - 1;
    if (rows.old_row->tts_isnull[i] || rows.new_row->tts_isnull[i]) return rows.old_row->tts_isnull[i] == rows.new_row->tts_isnull[i];
    return pg::call([&] {
        if (OidIsValid(column.equal.fn_oid))
            return DatumGetBool(
                FunctionCall2Coll(&column.equal, column.collation, rows.old_row->tts_values[i], rows.new_row->tts_values[i]));
        return datum_image_eq(rows.old_row->tts_values[i], rows.new_row->tts_values[i], column.by_value, column.length);
    });
}

void count(pg_atomic_uint64 pg::DatabaseEntry::*counter, uint64 by) {
    if (pg::DatabaseEntry *database = pg::my_database(); database != nullptr && by > 0)
        pg_atomic_fetch_add_u64(&(database->*counter), static_cast<int64>(by));
}

void publish_row(const TriggerData *trigger) {
    const auto watch = compiled(trigger);
    const FiredRows rows(trigger);
    if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) && !watch->compared.empty()) {
        bool changed = false;
        for (Compared &column : watch->compared) changed = changed || !same(column, rows);
        if (!changed) return;
    }
    const std::vector<Rendered> values = watch->sources->render(rows);
    std::vector<std::string> rooms;
    rooms.reserve(watch->rooms.size());
    for (const TextTemplate &room : watch->rooms)
        if (std::string name; render_room(room, values, name)) rooms.push_back(std::move(name));
    count(&pg::DatabaseEntry::skipped_rooms, watch->rooms.size() - rooms.size());
    if (rooms.empty()) return;
    Event event;
    event.name = watch->event;
    event.rooms.assign(rooms.begin(), rooms.end());
    std::string payload;
    render_json(watch->payload, values, payload);
    event.payload = payload;
    std::string partition_key;
    if (watch->partition_key && render_text(*watch->partition_key, values, partition_key)) event.partition_key = partition_key;
    if (watch->channel) event.channel = *watch->channel;
    std::string headers = "{}";
    add_traceparent(headers);
    event.headers = headers;
    check(event);
    store(event);
}

pg::Raised explain(const pg::Raised &raised, const TriggerData *trigger) {
    return rows::explain(raised, trigger,
                         std::string("Call pulse.unwatch('") + RelationGetRelationName(trigger->tg_relation) + "', '" +
                             trigger->tg_trigger->tgname + "') and pulse.watch again with today's columns.");
}

void warn(const pg::Raised &raised, std::uint64_t others) {
    const std::string more = others == 0 ? "" : " (and " + std::to_string(others) + " more since the last such warning)";
    pg::call([&] {
        ereport(WARNING, (errcode(raised.sqlstate), errmsg_internal("%s; the event is lost%s", raised.message, more.c_str()),
                          raised.detail[0] != '\0' ? errdetail_internal("%s", raised.detail) : 0,
                          raised.hint[0] != '\0' ? errhint("%s", raised.hint) : 0));
    });
}

bool warns(const TriggerData *trigger) {
    for (int i = 0; i < trigger->tg_trigger->tgnargs; ++i)
        if (std::string_view(trigger->tg_trigger->tgargs[i]) == "on_error=warn") return true;
    return false;
}

}  // namespace

}  // namespace pulse::publish

PULSE_FN(pulse_publish_trigger) {
    using namespace pulse;
    using namespace pulse::publish;
    const TriggerData *trigger = fired(fcinfo, "pulse.publish_trigger", kHint);
    if (!warns(trigger)) {
        try {
            publish_row(trigger);
        } catch (const pg::Error &error) {
            throw pg::Error(explain(error.raised(), trigger));
        }
        return PointerGetDatum(nullptr);
    }
    if (const auto lost = pg::subtransaction([&] { publish_row(trigger); })) {
        static WarningPace pace;
        count(&pg::DatabaseEntry::warned_events, 1);
        if (const auto others = pace.lost(trigger->tg_trigger->tgoid, lost->sqlstate, GetCurrentTimestamp()))
            warn(explain(*lost, trigger), *others);
    }
    return PointerGetDatum(nullptr);
}
