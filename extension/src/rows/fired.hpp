// An AFTER ROW trigger that fires: its rows, and its arguments.
#pragma once

#include "pg/guard.hpp"
#include "rows/template.hpp"

namespace pulse::rows {

// The rows of the trigger; null where there is none.
struct FiredRows {
    TupleTableSlot *old_row = nullptr;
    TupleTableSlot *new_row = nullptr;
    explicit FiredRows(const TriggerData *trigger);
    TupleTableSlot *of(RowOf row) const {
        if (row == RowOf::kOld) return old_row;
        return row == RowOf::kNew || new_row != nullptr ? new_row : old_row;
    }
};

// The trigger that calls `function`; raises with the hint when it is none, or fires otherwise.
const TriggerData *fired(FunctionCallInfo fcinfo, const char *function, const char *hint);
std::vector<std::string_view> arguments_of(const TriggerData *trigger);
// Says which trigger it was, and, when the table no longer fits it, how to mend that: `remedy`. Looks nothing up: after an error the
// catalogues are out of bounds.
pg::Raised explain(const pg::Raised &raised, const TriggerData *trigger, const std::string &remedy);

}  // namespace pulse::rows
