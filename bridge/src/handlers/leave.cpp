// room:leave: nobody has to be asked. Leaving a room that one is not in is fine.
#include "handlers/client.hpp"

namespace bridge::handlers {

void Client::leave(Namespace &nsp, const codec::Inbound &packet) {
    services_.metrics.messages_received(nsp.name, "room:leave").Increment();
    const auto room = room_request(packet);
    if (!room) {
        codec::Inbound named = packet;
        if (named.event.empty()) named.event = "room:leave";
        refuse(named, room.error());
    } else {
        leave_room(nsp, room->room);
        answer(nsp, packet, R"([{"ok":true}])");
    }
    done(nsp.serial);
}

void Client::leave_room(Namespace &nsp, std::string_view room) {
    if (!services_.hub.leave(nsp.session, room)) return;
    if (const hub::Session *session = services_.hub.find(nsp.session)) {
        nsp.last_leave = services_.bookkeeper.left(session->key, nsp.generation, room);
    }
}

void Client::evicted(SessionId session, std::string_view room, Position position) {
    Namespace *nsp = find(session);
    const hub::Session *found = services_.hub.find(session);
    if (nsp == nullptr || found == nullptr) return;
    nsp->last_leave = services_.bookkeeper.evicted(found->key, nsp->generation, room, position);
}

}  // namespace bridge::handlers
