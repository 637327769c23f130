#include "handle/read_right.hpp"

namespace pulse::handle {

bool may_read_rooms() {
    return pg::call([] {
        for (const char *role : {"pulse_publisher", "pulse_admin"}) {
            const Oid oid = get_role_oid(role, true);
            if (OidIsValid(oid) && has_privs_of_role(GetUserId(), oid)) return true;
        }
        return superuser();
    });
}

bool policy_allows(Oid owner, const char *operation, const std::string &room) {
    if (auth::current() == nullptr) return false;
    std::vector<Request> requests(1);
    requests[0].operation = operation;
    requests[0].room = room;
    requests[0].context = auth::current();
    decide_all(owner, requests);
    if (!requests[0].allowed) refuse(requests[0]);
    return true;
}

}  // namespace pulse::handle
