// A row of pulse.bridge_read or pulse.bridge_history as an event.
#pragma once

#include <string>
#include <vector>

#include "db/connection.hpp"
#include "hub/encoder.hpp"

namespace bridge::db {

// Of row 0. The event's text lies in `rows`, its attachments in `attachments`.
hub::Event event_of(const Rows &rows, std::vector<std::string> &attachments);

}  // namespace bridge::db
