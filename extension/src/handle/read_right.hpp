// Who may read what a room holds: its history, its presence.
#pragma once

#include "handle/decide.hpp"

namespace pulse::handle {

// Whether the current user is a pulse_publisher, a pulse_admin or a superuser: as such, or as the owner of a SECURITY DEFINER function.
bool may_read_rooms();

// Asks the room's policy for this operation in a client's call; raises PL403 when it refuses. False outside of a call.
bool policy_allows(Oid owner, const char *operation, const std::string &room);

}  // namespace pulse::handle
