// room:join: SQL's policies decide (many waiting joins travel as one statement), the hub joins at the position of the decision. Nobody is
// asked about a room that the session is in.
// With `since` SQL decides about what came before, too, and the hub's history gives it before the ack: all of it, or the ack says
// that the state must be read anew.
#include <utility>

#include <nlohmann/json.hpp>

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

Result<RoomRequest> room_request(const Inbound &packet) {
    RoomRequest out{packet.room, packet.since};
    if (packet.kind == Inbound::Kind::event) {
        const Error wrong{Errc::bad_request, R"(the first argument must be {"room":"…"})"};
        const auto args = json::elements(packet.args);
        if (!args || args->empty()) return wrong;
        const auto first = json::parse((*args)[0]);
        if (first && first->is_string()) {
            out.room = first->get<std::string>();
        } else if (first && first->is_object() && first->contains("room") && (*first)["room"].is_string()) {
            out.room = (*first)["room"].get<std::string>();
            if (const auto since = first->find("since"); since != first->end() && !since->is_null()) {
                if (!since->is_string()) return Error{Errc::bad_request, "since must be a cursor"};
                out.since = since->get<std::string>();
            }
        } else {
            return wrong;
        }
    }
    if (out.room.empty() || out.room.size() > kMaxRoom) return Error{Errc::invalid, "a room's name has 1 to 255 bytes"};
    if (out.room.find('\0') != std::string::npos) return Error{Errc::invalid, "a room's name holds no NUL character"};
    return out;
}

void Client::join(Namespace &nsp, Inbound packet) {
    if (packet.event.empty()) packet.event = "room:join";
    services_.metrics.messages_received(nsp.name, "room:join").Increment();
    auto request = room_request(packet);
    if (!request) {
        refuse(packet, request.error());
        return done(nsp.serial);
    }
    packet.args.clear();
    JoinUnderWay join{nsp.serial, std::move(packet), std::move(request->room), std::move(request->since), {}, kTries};
    if (!join.since.empty() && !Cursor::parse(join.since)) {
        join.since.clear();
        join.must_refetch = "unknown";
    }
    // It is in the room. What was decided holds until a recovery, a refresh of its token, or an eviction decides anew.
    if (join.since.empty() && join.must_refetch.empty() && services_.hub.hears(nsp.session, join.room)) {
        answer(nsp, join.packet, join_ack(join, services_.hub.cursor(nsp.session)));
        return done(nsp.serial);
    }
    after_leaves(nsp, [join = std::move(join)](Client &client, Namespace &there, bool stored) mutable {
        if (stored) return client.ask_join(there, std::move(join));
        client.refuse(join.packet, Error{Errc::unavailable, "the database is not available, try again"});
        client.done(there.serial);
    });
}

void Client::ask_join(Namespace &nsp, JoinUnderWay join) {
    const hub::Session *session = services_.hub.find(nsp.session);
    if (session == nullptr) return;  // its socket is just going
    join.trace = new_trace(join.packet.traceparent);
    db::DecideRequest request;
    request.room = join.room;
    request.context = context(nsp, join.trace);
    request.session = session->key.view();
    request.generation = nsp.generation;
    request.since = join.since;
    services_.queries.decide(std::move(request),
                             [&services = services_, id = id_, join = std::move(join)](Result<db::Decision> answer) mutable {
                                 if (Client *client = services.clients.find(id)) client->join_answered(std::move(join), std::move(answer));
                             });
}

void Client::join_answered(JoinUnderWay join, Result<db::Decision> answered) {
    Namespace *nsp = find(join.serial);
    if (ending_ || nsp == nullptr || nsp->state != State::connected) return;
    if (!answered) {
        refuse(join.packet, answered.error(), join.trace.correlation_id);
        return done(join.serial);
    }
    if (!answered->allowed) {
        log::debug("join denied", {{"namespace", nsp->name},
                                   {"reason", answered->reason},
                                   {"correlationId", join.trace.correlation_id},
                                   log::given("traceparent", join.trace.traceparent)});
        refuse(join.packet, answered->refusal.value_or(Error{Errc::forbidden, "you may not join this room"}), join.trace.correlation_id);
        return done(join.serial);
    }
    if (!join.since.empty() && answered->recovered) return backfill(*nsp, std::move(join), *answered);
    if (!join.since.empty()) {
        join.must_refetch = answered->must_refetch.empty() ? "unknown" : std::move(answered->must_refetch);
        services_.metrics.recoveries(join.must_refetch).Increment();
        join.since.clear();
    }
    enter_room(*nsp, std::move(join), answered->position);
}

void Client::backfill(Namespace &nsp, JoinUnderWay join, const db::Decision &decision) {
    hub::History::Request request{nsp.session, {{join.room, decision.since}}, decision.position.position, true, nullptr};
    services_.history.recover(std::move(request), [&services = services_, id = id_, join,
                                                   position = decision.position](const hub::HistoryOutcome &outcome) mutable {
        Client *client = services.clients.find(id);
        Namespace *there = client != nullptr ? client->find(join.serial) : nullptr;
        if (there == nullptr || client->ending_ || there->state != State::connected) return;
        if (outcome.recovered) {
            client->answer(*there, join.packet, client->join_ack(join, position));
            return client->done(join.serial);
        }
        if (outcome.reason == "unavailable" || outcome.reason == "too_many" || outcome.reason == "gone") {
            client->refuse(join.packet,
                           outcome.reason == "too_many" ? Error{Errc::invalid, "this session is in too many rooms"}
                                                        : Error{Errc::unavailable, "the server is too busy, try again"},
                           join.trace.correlation_id);
            client->not_joined(*there, join.room);
            return client->done(join.serial);
        }
        join.must_refetch = outcome.reason;
        join.since.clear();
        client->enter_room(*there, std::move(join), position);
    });
}

// The room from the decision on; what came before it is not given, and the ack says so when it was wanted.
void Client::enter_room(Namespace &nsp, JoinUnderWay join, const Cursor &position) {
    hub::FramePtr ack;
    if (join.packet.id) ack = hub::make_frame(codec::ack_frame(protocol_, nsp.name, *join.packet.id, join_ack(join, position)));
    const std::uint32_t serial = join.serial;
    switch (services_.hub.join(nsp.session, join.room, position.position, std::move(ack))) {
        case hub::Join::joined:
        case hub::Join::already: break;
        case hub::Join::too_old:
        case hub::Join::evicted:
            if (--join.tries > 0) return ask_join(nsp, std::move(join));
            refuse(join.packet, Error{Errc::unavailable, "the server is too busy, try again"}, join.trace.correlation_id);
            not_joined(nsp, join.room);
            break;
        case hub::Join::too_many:
            refuse(join.packet, Error{Errc::invalid, "this session is in too many rooms"}, join.trace.correlation_id);
            not_joined(nsp, join.room);
            break;
        case hub::Join::gone: return;
    }
    done(serial);
}

// SQL has stored a membership that did not come about.
void Client::not_joined(Namespace &nsp, std::string_view room) {
    const hub::Session *session = services_.hub.find(nsp.session);
    if (session == nullptr || services_.hub.in_room(nsp.session, room)) return;
    nsp.last_change = services_.bookkeeper.left(session->key, nsp.generation, room);
}

std::string Client::join_ack(const JoinUnderWay &join, const Cursor &position) const {
    std::string out = R"([{"ok":true,"room":)" + json::quote(join.room) + R"(,"position":)" + json::quote(position.text());
    if (!join.must_refetch.empty()) {
        out += R"(,"recovered":false,"mustRefetch":)" + json::quote(join.must_refetch);
    } else if (!join.since.empty()) {
        out += R"(,"recovered":true)";
    }
    return out + "}]";
}

}  // namespace bridge::handlers
