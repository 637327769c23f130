// From a SQLSTATE to what a client may read (docs/reference/bridge.md, "Errors"). Class PL carries a client error made for it, with more
// members of the error in a DETAIL that is a JSON object;
// everything else is `internal` and its text stays in the log. Pure; called by Database for every failed statement.
#pragma once

#include "base/error.hpp"
#include "db/connection.hpp"

namespace bridge::db {

Error to_error(const SqlError &error);

}  // namespace bridge::db
