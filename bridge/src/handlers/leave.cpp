// room:leave: nobody has to be asked. Leaving a room that one is not in is fine.
#include "handlers/client.hpp"

namespace bridge::handlers {

void Client::leave(Namespace &nsp, const codec::Inbound &packet) {
    services_.metrics.messages_received(nsp.name, "room:leave").Increment();
    const auto room = room_of(packet);
    if (!room) {
        codec::Inbound named = packet;
        if (named.event.empty()) named.event = "room:leave";
        refuse(named, room.error());
    } else {
        services_.hub.leave(nsp.session, *room);
        answer(nsp, packet, R"([{"ok":true}])");
    }
    done(nsp.serial);
}

}  // namespace bridge::handlers
