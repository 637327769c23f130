// What an event of the room pulse:system does here, in its place in the stream: what was delivered before it stays delivered, nothing
// after it reaches those who lost the room. A membership that was decided after it is not touched.
#include <algorithm>

#include "base/json.hpp"
#include "base/log.hpp"
#include "hub/state.hpp"

namespace bridge::hub {

void Hub::on_evicted(std::function<void(SessionId, std::string_view, Position)> f) { state_->on_evicted = std::move(f); }
void Hub::on_revoked(std::function<void(SessionId)> f) { state_->on_revoked = std::move(f); }
void Hub::on_system(std::function<void(const Event &)> f) { state_->on_system = std::move(f); }

void Hub::State::act(const Event &event) {
    if (auto eviction = Eviction::read(event)) {
        if (eviction->revocation) {
            revoke(*eviction);
        } else {
            evict(*eviction);
        }
        metrics.evictions().Increment();
        evictions.remember(std::move(*eviction));
    }
    if (on_system) on_system(event);
}

void Hub::State::evict(const Eviction &eviction) {
    const auto room = rooms.find(eviction.room);
    if (!room) return;
    std::vector<std::uint32_t> out;
    for (const Member &member : rooms.members(*room)) {
        const Session &session = sessions[member.session];
        if (session.rooms[member.place].since < eviction.position && eviction.concerns(*session.claims)) out.push_back(member.session);
    }
    for (const std::uint32_t index : out) {
        Session &session = sessions[index];
        const auto again = std::find_if(regrants.begin(), regrants.end(), [&](const Regrant &regrant) {
            return regrant.session == SessionId{index, session.generation} && regrant.room == eviction.room &&
                   regrant.at > eviction.position;
        });
        if (again != regrants.end()) {
            session.rooms[*rooms.place_of(*room, index, session)].since = again->at;
            latest_since = std::max(latest_since, again->at);
            continue;
        }
        rooms.leave(*rooms.place_of(*room, index, session), session, sessions);
        tell_evicted(index, eviction, eviction.position);
    }
    metrics.rooms().Set(static_cast<double>(rooms.size()));
}

// The client hears of it as an event of its own, between what came before and what comes after.
void Hub::State::tell_evicted(std::uint32_t index, const Eviction &eviction, Position cursor) {
    std::string payload = R"({"room":)" + json::quote(eviction.room) + R"(,"reason":)";
    payload += eviction.reason.empty() ? std::string("null") : json::quote(eviction.reason);
    payload += '}';
    Event event;
    event.position = eviction.position;
    event.name = R"("room:evicted")";
    event.headers = "{}";
    event.payload = payload;
    const SessionId id{index, sessions[index].generation};
    Encoding &encoding = encodings[hot[index].encoding];
    const std::string seen = cursor_text(std::max(cursor, sessions[index].base));
    if (const Turn::FrameIndex frame = hold(encoding, event, seen, eviction.room); frame != kNoFrame) {
        turn.push(hot[index].connection, frame);
        count_sent(encoding, event.name, 1);
    }
    if (on_evicted) on_evicted(id, eviction.room, eviction.position);
}

void Hub::tell_evicted(SessionId id, const Eviction &eviction, Position cursor) {
    if (!ending(id)) state_->tell_evicted(id.index, eviction, cursor);
}

void Hub::State::revoke(const Eviction &eviction) {
    std::vector<SessionId> out;
    const auto look_at = [&](std::uint32_t index) {
        if (eviction.concerns(*sessions[index].claims)) out.push_back({index, sessions[index].generation});
    };
    if (!eviction.user.empty()) {
        for (std::uint32_t index = with_user(eviction.user); index != kNone; index = sessions[index].next_of_user) look_at(index);
    } else {
        for (std::uint32_t index = 0; index < sessions.size(); ++index) {
            if (sessions[index].claims) look_at(index);
        }
    }
    for (const SessionId id : out) {
        const Session *session = find(id);
        if (!session) continue;  // the one before took it along
        if (on_revoked) {
            on_revoked(id);
        } else if (Connection &connection = connections[session->connection.index]; !connection.closing) {
            connection.closing = Errc::unauthenticated;
            seal(session->connection.index);
            closing.push_back(session->connection);
        }
    }
    if (!out.empty()) log::info("tokens were revoked", {{"sessions", out.size()}, {"position", eviction.position.value}});
}

}  // namespace bridge::hub
