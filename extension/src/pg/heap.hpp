// One row straight into a table: no plan, no triggers, no privileges asked, no row security. What differs between versions of
// PostgreSQL's executor stays behind this function.
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

// `values` and `nulls` have `count` elements; further columns of the table become null. May raise.
void insert_row(Relation relation, Datum *values, bool *nulls, int count);

}  // namespace pulse::pg
