// room:leave: nobody has to be asked. Leaving a room that one is not in is fine.
#include <utility>

#include "handlers/client.hpp"

namespace bridge::handlers {

void Client::leave(Namespace &nsp, codec::Inbound packet) {
    services_.metrics.messages_received(nsp.name, "room:leave").Increment();
    const auto room = room_request(packet);
    if (!room) {
        if (packet.event.empty()) packet.event = "room:leave";
        refuse(packet, room.error());
        return done(nsp.serial);
    }
    leave_room(nsp, room->room);
    if (!packet.id) return done(nsp.serial);
    // Deliveries have ended. The ack also says that the session will not be in the room when it comes back, so that is stored first;
    // while the database is away, it is the one thing that the ack does not wait for.
    after_leaves(nsp, [packet = std::move(packet)](Client &client, Namespace &there, bool) {
        client.answer(there, packet, R"([{"ok":true}])");
        client.done(there.serial);
    });
}

void Client::leave_room(Namespace &nsp, std::string_view room) {
    if (!services_.hub.leave(nsp.session, room)) return;
    if (const hub::Session *session = services_.hub.find(nsp.session)) {
        services_.leases.left(session->key, room);
        nsp.last_change = services_.bookkeeper.left(session->key, nsp.generation, room);
    }
}

void Client::evicted(SessionId session, std::string_view room, Position position) {
    Namespace *nsp = find(session);
    const hub::Session *found = services_.hub.find(session);
    if (nsp == nullptr || found == nullptr) return;
    services_.leases.left(found->key, room);
    nsp->last_change = services_.bookkeeper.evicted(found->key, nsp->generation, room, position);
}

}  // namespace bridge::handlers
