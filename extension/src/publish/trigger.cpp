// pulse.publish_trigger: the AFTER ROW trigger that pulse.watch creates. Renders the templates of its arguments from the row and
// stores one event. Values are turned to text as the user; with on_error=warn in a subtransaction, so that whatever
// fails costs the event and never the user's statement.
#include "publish/compiled.hpp"
#include "publish/event.hpp"
#include "publish/trace.hpp"
#include "publish/warning_pace.hpp"

#include "pg/shmem.hpp"

#include <cstring>

namespace pulse::publish {

namespace {

void check_called(FunctionCallInfo fcinfo) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        pg::fail(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, "pulse.publish_trigger was not called as a trigger", {},
                 "Create the trigger with pulse.watch.");
    const auto *trigger = reinterpret_cast<TriggerData *>(fcinfo->context);
    if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
        TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
        pg::fail(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, "pulse.publish_trigger must fire AFTER INSERT, UPDATE or DELETE FOR EACH ROW",
                 {}, "Create the trigger with pulse.watch.");
}

WatchSpec spec_of(const TriggerData *trigger) {
    std::vector<std::string_view> arguments;
    for (int i = 0; i < trigger->tg_trigger->tgnargs; ++i) arguments.emplace_back(trigger->tg_trigger->tgargs[i]);
    WatchSpec spec;
    if (auto problem = from_arguments(arguments, spec)) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
    return spec;
}

// The rows of the trigger; null where there is none.
struct Rows {
    TupleTableSlot *old_row = nullptr;
    TupleTableSlot *new_row = nullptr;
    explicit Rows(const TriggerData *trigger) {
        if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
            new_row = trigger->tg_trigslot;
        else
            old_row = trigger->tg_trigslot;
        if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)) new_row = trigger->tg_newslot;
        pg::call([this] {
            if (old_row != nullptr) slot_getallattrs(old_row);
            if (new_row != nullptr) slot_getallattrs(new_row);
        });
    }
    TupleTableSlot *of(RowOf row) const {
        if (row == RowOf::kOld) return old_row;
        return row == RowOf::kNew || new_row != nullptr ? new_row : old_row;
    }
};

bool same(Compared &column, const Rows &rows) {
    const int i = column.attribute - 1;
    if (rows.old_row->tts_isnull[i] || rows.new_row->tts_isnull[i]) return rows.old_row->tts_isnull[i] == rows.new_row->tts_isnull[i];
    return pg::call([&] {
        if (OidIsValid(column.equal.fn_oid))
            return DatumGetBool(
                FunctionCall2Coll(&column.equal, column.collation, rows.old_row->tts_values[i], rows.new_row->tts_values[i]));
        return datum_image_eq(rows.old_row->tts_values[i], rows.new_row->tts_values[i], column.by_value, column.length);
    });
}

std::vector<Rendered> render(Compiled &watch, const Rows &rows) {
    std::vector<Rendered> values(watch.sources.size());
    for (size_t i = 0; i < values.size(); ++i) {
        const Source &source = watch.sources[i];
        const TupleTableSlot *row = rows.of(source.row);
        if (row == nullptr || row->tts_isnull[source.attribute - 1]) continue;
        values[i].null = false;
        values[i].string = watch.writers[source.writer].write(row->tts_values[source.attribute - 1], values[i].text);
    }
    return values;
}

void count(pg_atomic_uint64 pg::DatabaseEntry::*counter, uint64 by) {
    if (pg::DatabaseEntry *database = pg::my_database(); database != nullptr && by > 0)
        pg_atomic_fetch_add_u64(&(database->*counter), static_cast<int64>(by));
}

void publish_row(const TriggerData *trigger) {
    auto watch = find_compiled(trigger);
    if (!watch) watch = compiled(trigger, spec_of(trigger));
    const Rows rows(trigger);
    if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) && !watch->compared.empty()) {
        bool changed = false;
        for (Compared &column : watch->compared) changed = changed || !same(column, rows);
        if (!changed) return;
    }
    const std::vector<Rendered> values = render(*watch, rows);
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

// Says which trigger it was, and, when the table no longer fits it, how to mend that. Looks nothing up: after an error the
// catalogues are out of bounds.
pg::Raised explain(const pg::Raised &raised, const TriggerData *trigger) {
    if (ERRCODE_TO_CATEGORY(raised.sqlstate) == ERRCODE_OPERATOR_INTERVENTION)
        return raised;  // a cancel or a shutdown is not about this trigger
    const std::string name = trigger->tg_trigger->tgname;
    const std::string table = RelationGetRelationName(trigger->tg_relation);
    std::string hint = raised.hint;
    if (raised.sqlstate == ERRCODE_UNDEFINED_COLUMN)
        hint += std::string(hint.empty() ? "" : " ") + "Call pulse.unwatch('" + table + "', '" + name +
                "') and pulse.watch again with today's columns.";
    pg::Raised explained =
        pg::make_raised(raised.sqlstate, "trigger \"" + name + "\" on table \"" + table + "\": " + raised.message, raised.detail, hint);
    std::memcpy(explained.context, raised.context, sizeof explained.context);
    return explained;
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
    check_called(fcinfo);
    const auto *trigger = reinterpret_cast<TriggerData *>(fcinfo->context);
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
