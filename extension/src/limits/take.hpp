// Who is limited, and what they hear. Callers: pulse.take, and handle.cpp before it runs the handler of an event.
#pragma once

#include "auth/context.hpp"
#include "limits/classes.hpp"

namespace pulse::limits {

// Takes a point of the class that the event belongs to, if it belongs to one. Over it: raises PL429, whose DETAIL names the class and the
// seconds to wait. What was taken stays taken, whatever becomes of the transaction.
void take_for_event(std::string_view name, std::string_view event, const auth::Context &context);

}  // namespace pulse::limits
