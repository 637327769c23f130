// room:join: SQL's policies decide (many waiting joins travel as one statement), the hub joins at the position of the decision.
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"
#include "codec/outbound.hpp"
#include "handlers/client.hpp"

namespace bridge::handlers {

using codec::Inbound;

namespace {
constexpr int kTries = 3;
constexpr std::size_t kMaxRoom = 255;
}  // namespace

Result<std::string> room_of(const Inbound &packet) {
    std::string room = packet.room;
    if (packet.kind == Inbound::Kind::event) {
        const auto args = json::elements(packet.args);
        if (!args || args->empty()) return Error{Errc::bad_request, R"(the first argument must be {"room":"…"})"};
        const auto first = json::parse((*args)[0]);
        if (first && first->is_string()) {
            room = first->get<std::string>();
        } else if (first && first->is_object() && first->contains("room") && (*first)["room"].is_string()) {
            room = (*first)["room"].get<std::string>();
        } else {
            return Error{Errc::bad_request, R"(the first argument must be {"room":"…"})"};
        }
    }
    if (room.empty() || room.size() > kMaxRoom) return Error{Errc::invalid, "a room's name has 1 to 255 bytes"};
    if (room.find('\0') != std::string::npos) return Error{Errc::invalid, "a room's name holds no NUL character"};
    return room;
}

void Client::join(Namespace &nsp, Inbound packet) {
    if (packet.event.empty()) packet.event = "room:join";
    services_.metrics.messages_received(nsp.name, "room:join").Increment();
    auto room = room_of(packet);
    if (!room) {
        refuse(packet, room.error());
        return done(nsp.serial);
    }
    packet.args.clear();
    ask_join(nsp, std::move(*room), std::move(packet), kTries);
}

void Client::ask_join(Namespace &nsp, std::string room, Inbound packet, int tries) {
    std::string correlation_id = new_correlation_id();
    std::string asked = context(nsp, correlation_id);
    std::string name = room;
    services_.queries.decide(std::move(name), std::move(asked),
                             [&services = services_, id = id_, serial = nsp.serial, room = std::move(room), packet = std::move(packet),
                              tries, correlation_id = std::move(correlation_id)](Result<db::Decision> answer) mutable {
                                 if (Client *client = services.clients.find(id)) {
                                     client->join_answered(serial, std::move(room), std::move(packet), tries, correlation_id,
                                                           std::move(answer));
                                 }
                             });
}

void Client::join_answered(std::uint32_t serial, std::string room, Inbound packet, int tries, const std::string &correlation_id,
                           Result<db::Decision> answered) {
    Namespace *nsp = find(serial);
    if (ending_ || nsp == nullptr || nsp->state != State::connected) return;
    if (!answered) {
        refuse(packet, answered.error(), correlation_id);
        return done(serial);
    }
    if (!answered->allowed) {
        log::debug("join denied", {{"namespace", nsp->name}, {"reason", answered->reason}, {"correlationId", correlation_id}});
        refuse(packet, Error{Errc::forbidden, "you may not join this room"}, correlation_id);
        return done(serial);
    }
    hub::FramePtr ack;
    if (packet.id) {
        const std::string args =
            R"([{"ok":true,"room":)" + json::quote(room) + R"(,"position":)" + json::quote(answered->position.text()) + "}]";
        ack = hub::make_frame(codec::ack_frame(protocol_, nsp->name, *packet.id, args));
    }
    switch (services_.hub.join(nsp->session, room, answered->position.position, std::move(ack))) {
        case hub::Join::joined:
        case hub::Join::already: break;
        case hub::Join::too_old:
        case hub::Join::evicted:
            if (--tries > 0) return ask_join(*nsp, std::move(room), std::move(packet), tries);
            refuse(packet, Error{Errc::unavailable, "the server is too busy, try again"}, correlation_id);
            break;
        case hub::Join::too_many: refuse(packet, Error{Errc::invalid, "this session is in too many rooms"}, correlation_id); break;
        case hub::Join::gone: return;
    }
    done(serial);
}

}  // namespace bridge::handlers
