// What a trigger is called with.
#include "rows/fired.hpp"

#include <cstring>

namespace pulse::rows {

FiredRows::FiredRows(const TriggerData *trigger) {
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

const TriggerData *fired(FunctionCallInfo fcinfo, const char *function, const char *hint) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        pg::fail(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, std::string(function) + " was not called as a trigger", {}, hint);
    const auto *trigger = reinterpret_cast<TriggerData *>(fcinfo->context);
    if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
        TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
        pg::fail(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                 std::string(function) + " must fire AFTER INSERT, UPDATE or DELETE FOR EACH ROW", {}, hint);
    return trigger;
}

std::vector<std::string_view> arguments_of(const TriggerData *trigger) {
    std::vector<std::string_view> arguments;
    for (int i = 0; i < trigger->tg_trigger->tgnargs; ++i) arguments.emplace_back(trigger->tg_trigger->tgargs[i]);
    return arguments;
}

pg::Raised explain(const pg::Raised &raised, const TriggerData *trigger, const std::string &remedy) {
    if (ERRCODE_TO_CATEGORY(raised.sqlstate) == ERRCODE_OPERATOR_INTERVENTION)
        return raised;  // a cancel or a shutdown is not about this trigger
    const std::string name = trigger->tg_trigger->tgname;
    const std::string table = RelationGetRelationName(trigger->tg_relation);
    std::string hint = raised.hint;
    if (raised.sqlstate == ERRCODE_UNDEFINED_COLUMN) hint += (hint.empty() ? "" : " ") + remedy;
    pg::Raised explained =
        pg::make_raised(raised.sqlstate, "trigger \"" + name + "\" on table \"" + table + "\": " + raised.message, raised.detail, hint);
    std::memcpy(explained.context, raised.context, sizeof explained.context);
    return explained;
}

}  // namespace pulse::rows
