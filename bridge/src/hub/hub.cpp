// Who is here: connections, sessions, rooms. Slabs with generations, so that a late callback's id is recognised as stale.
#include "hub/hub.hpp"

#include <algorithm>
#include <utility>

#include "base/scope.hpp"
#include "hub/state.hpp"

namespace bridge::hub {

Hub::Hub(HubOptions options, Encoder &encoder, const Clock &clock, Metrics &metrics)
    : state_(std::make_unique<State>(options, encoder, clock, metrics)) {}
Hub::~Hub() = default;

// ---------------------------------------------------------------------------------------------------------- connections

ConnectionId Hub::open(Sink &sink) {
    State &s = *state_;
    std::uint32_t index;
    if (s.free_connections.empty()) {
        index = static_cast<std::uint32_t>(s.connections.size());
        s.connections.emplace_back();
        s.turn.grow(s.connections.size());
    } else {
        index = s.free_connections.back();
        s.free_connections.pop_back();
    }
    Connection &connection = s.connections[index];
    connection.sink = &sink;
    ++connection.generation;
    s.metrics.sockets().Set(static_cast<double>(++s.connection_count));
    return {index, connection.generation};
}

void Hub::closed(ConnectionId id) {
    State &s = *state_;
    Connection *connection = s.find(id);
    if (!connection) return;
    while (connection->first_session != kNone) {
        const std::uint32_t session = connection->first_session;
        remove_session({session, s.sessions[session].generation});
    }
    s.turn.drop(id.index);
    s.drop_outbox(*connection);
    const std::uint32_t generation = connection->generation + 1;
    *connection = Connection{};
    connection->generation = generation;
    s.free_connections.push_back(id.index);
    s.metrics.sockets().Set(static_cast<double>(--s.connection_count));
}

void Hub::close(ConnectionId id, Errc why) {
    State &s = *state_;
    Connection *connection = s.find(id);
    if (!connection || connection->closing) return;
    connection->closing = why;
    s.seal(id.index);
    s.closing.push_back(id);
}

bool Hub::waiting(ConnectionId id) const {
    const Connection *connection = state_->find(id);
    return connection && connection->outbox && !connection->dead;
}

// From now on what is delivered to its sessions goes nowhere, without a test in the fan-out.
void Hub::State::seal(std::uint32_t connection) {
    for (std::uint32_t session = connections[connection].first_session; session != kNone; session = sessions[session].next_on_connection) {
        hot[session].connection = kDeafLane;
    }
}

std::size_t Hub::connections() const { return state_->connection_count; }

void Hub::each_connection(const std::function<void(ConnectionId)> &f) const {
    for (std::uint32_t index = 1; index < state_->connections.size(); ++index) {
        if (const std::uint32_t generation = state_->connections[index].generation; generation % 2 == 1) f({index, generation});
    }
}

void Hub::each_session(ConnectionId id, const std::function<void(SessionId)> &f) const {
    const Connection *connection = state_->find(id);
    if (!connection) return;
    std::vector<SessionId> found;  // f may remove them
    for (std::uint32_t session = connection->first_session; session != kNone; session = state_->sessions[session].next_on_connection) {
        found.push_back({session, state_->sessions[session].generation});
    }
    for (const SessionId session : found) f(session);
}

// ------------------------------------------------------------------------------------------------------------- sessions

SessionId Hub::add_session(ConnectionId id, const SessionSpec &spec) {
    State &s = *state_;
    Connection *connection = s.find(id);
    if (!connection || connection->closing) return {};
    std::uint32_t index;
    if (s.free_sessions.empty()) {
        index = static_cast<std::uint32_t>(s.sessions.size());
        s.sessions.emplace_back();
        s.hot.emplace_back();
    } else {
        index = s.free_sessions.back();
        s.free_sessions.pop_back();
    }
    Session &session = s.sessions[index];
    session.connection = id;
    session.key = spec.key;
    session.socket_id = spec.socket_id;
    session.claims = spec.claims;
    session.base = spec.base;
    s.link_user(index);
    ++session.generation;
    session.next_on_connection = connection->first_session;
    connection->first_session = index;
    s.hot[index] = {0, id.index, s.encoding(spec.protocol, spec.nsp)};
    ++s.encodings[s.hot[index].encoding].references;
    const std::uint32_t key_hash = IndexTable::hash(spec.key.view());
    if (const std::uint32_t before = s.with_key(spec.key); before != kNone) s.by_key.erase(key_hash, before);
    s.by_key.insert(key_hash, index);
    s.metrics.active_connections(label(spec.nsp)).Increment();
    s.metrics.sessions().Set(static_cast<double>(++s.session_count));
    return {index, session.generation};
}

void Hub::remove_session(SessionId id) {
    State &s = *state_;
    Session *session = s.find(id);
    if (!session) return;
    s.leave_all(id.index);
    Connection &connection = s.connections[session->connection.index];
    std::uint32_t *link = &connection.first_session;
    while (*link != id.index) link = &s.sessions[*link].next_on_connection;
    *link = session->next_on_connection;
    s.by_key.erase(IndexTable::hash(session->key.view()), id.index);  // a newer session with this key stays
    s.unlink_user(id.index);

    s.metrics.active_connections(label(s.encodings[s.hot[id.index].encoding].nsp)).Decrement();
    s.release_encoding(s.hot[id.index].encoding);
    const std::uint32_t generation = session->generation + 1;
    *session = Session{};
    session->generation = generation;
    s.free_sessions.push_back(id.index);
    s.metrics.sessions().Set(static_cast<double>(--s.session_count));
}

void Hub::State::link_user(std::uint32_t index) {
    Session &session = sessions[index];
    session.next_of_user = session.previous_of_user = kNone;
    if (session.claims->user_id.empty()) return;
    const std::uint32_t first = with_user(session.claims->user_id);
    if (first == kNone || first == index) {
        by_user.insert(IndexTable::hash(session.claims->user_id), index);
        return;
    }
    session.next_of_user = sessions[first].next_of_user;
    session.previous_of_user = first;
    sessions[first].next_of_user = index;
    if (session.next_of_user != kNone) sessions[session.next_of_user].previous_of_user = index;
}

void Hub::State::unlink_user(std::uint32_t index) {
    const Session &session = sessions[index];
    if (session.claims->user_id.empty()) return;
    if (session.next_of_user != kNone) sessions[session.next_of_user].previous_of_user = session.previous_of_user;
    if (session.previous_of_user != kNone) {
        sessions[session.previous_of_user].next_of_user = session.next_of_user;
        return;
    }
    const std::uint32_t hash = IndexTable::hash(session.claims->user_id);
    by_user.erase(hash, index);
    if (session.next_of_user != kNone) by_user.insert(hash, session.next_of_user);
}

// One that nobody uses any more is taken over, so even a flood of namespaces and event filters over time stays bounded by the sessions
// alive.
EncodingId Hub::State::encoding(Protocol protocol, std::string_view nsp) {
    const auto hash_of = [](Protocol p, std::string_view n) { return IndexTable::hash(n) + static_cast<std::uint32_t>(p); };
    const std::uint32_t hash = hash_of(protocol, nsp);
    const std::uint32_t known =
        by_encoding.find(hash, [&](EncodingId id) { return encodings[id].protocol == protocol && encodings[id].nsp == nsp; });
    if (known != IndexTable::kNone) return known;
    while (!spare_encodings.empty() && encodings[spare_encodings.back()].references > 0) {
        encodings[spare_encodings.back()].spare = false;
        spare_encodings.pop_back();
    }
    EncodingId id;
    if (spare_encodings.empty()) {
        id = static_cast<EncodingId>(encodings.size());
        encodings.emplace_back();
    } else {
        id = spare_encodings.back();
        spare_encodings.pop_back();
        by_encoding.erase(hash_of(encodings[id].protocol, encodings[id].nsp), id);
        replayed_frames.clear();  // they were made for the one before
    }
    Encoding &made = encodings[id];
    made = Encoding{};
    made.protocol = protocol;
    made.nsp = nsp;
    made.names_room = encoder.names_room(protocol);
    if (protocol == Protocol::sse) made.streamed = &metrics.sse_messages(label(nsp));
    by_encoding.insert(hash, id);
    return id;
}

void Hub::State::release_encoding(EncodingId id) {
    Encoding &encoding = encodings[id];
    if (--encoding.references > 0 || std::exchange(encoding.spare, true)) return;
    spare_encodings.push_back(id);
}

void Hub::set_claims(SessionId id, ClaimsPtr claims) {
    if (Session *session = state_->find(id)) session->claims = std::move(claims);  // linked by the user, which stays
}

const Session *Hub::find(SessionId id) const { return state_->find(id); }

SessionId Hub::find_key(const PublicId &key) const {
    const std::uint32_t found = state_->with_key(key);
    if (found == kNone) return {};
    return {found, state_->sessions[found].generation};
}

Protocol Hub::protocol(SessionId id) const {
    return state_->find(id) ? state_->encodings[state_->hot[id.index].encoding].protocol : Protocol::socketio;
}

std::string_view Hub::nsp(SessionId id) const {
    return state_->find(id) ? std::string_view(state_->encodings[state_->hot[id.index].encoding].nsp) : std::string_view();
}

std::size_t Hub::sessions() const { return state_->session_count; }

// ---------------------------------------------------------------------------------------------------------------- rooms

bool Hub::leave(SessionId id, std::string_view room) {
    State &s = *state_;
    Session *session = s.find(id);
    if (!session) return false;
    const auto index = s.rooms.find(room);
    if (!index) return false;
    const auto place = s.rooms.place_of(*index, id.index, *session);
    if (!place) return false;
    s.rooms.leave(*place, *session, s.sessions);
    s.metrics.rooms().Set(static_cast<double>(s.rooms.size()));
    return true;
}

void Hub::State::leave_all(std::uint32_t index) {
    Session &session = sessions[index];
    while (!session.rooms.empty()) rooms.leave(static_cast<std::uint32_t>(session.rooms.size() - 1), session, sessions);
    metrics.rooms().Set(static_cast<double>(rooms.size()));
}

bool Hub::in_room(SessionId id, std::string_view room) const {
    const Session *session = state_->find(id);
    const auto index = state_->rooms.find(room);
    return session && index && state_->rooms.place_of(*index, id.index, *session);
}

bool Hub::hears(SessionId id, std::string_view room) const {
    const Session *session = state_->find(id);
    const auto index = state_->rooms.find(room);
    const auto place = session && index ? state_->rooms.place_of(*index, id.index, *session) : std::nullopt;
    return place && session->rooms[*place].since <= cursor(id).position;
}

std::size_t Hub::members(std::string_view room) const {
    const auto index = state_->rooms.find(room);
    return index ? state_->rooms.members(*index).size() : 0;
}

std::vector<std::string> Hub::rooms_of(SessionId id) const {
    std::vector<std::string> names;
    if (const Session *session = state_->find(id)) {
        for (const Membership &membership : session->rooms) names.emplace_back(state_->rooms.name(membership.room));
    }
    return names;
}

std::size_t Hub::rooms() const { return state_->rooms.size(); }

// --------------------------------------------------------------------------------------------------------- the stream

void Hub::set_epoch(std::string_view epoch) {
    state_->epoch = epoch;
    state_->replayed_frames.clear();
}

void Hub::advance(Position head) {
    state_->head = head;
    state_->metrics.head_position().Set(static_cast<double>(head.value));
}

void Hub::start_anew() {
    State &s = *state_;
    s.replay.clear(s.head);
    s.evictions.clear(s.head);
    s.replayed_frames.clear();
}

Position Hub::head() const { return state_->head; }
Position Hub::ring_floor() const { return state_->replay.floor(); }
Cursor Hub::cursor() const { return {state_->epoch, state_->head}; }
Cursor Hub::cursor(SessionId id) const {
    const Session *session = state_->find(id);
    return {state_->epoch, session ? std::max(state_->head, session->base) : state_->head};
}

std::optional<Position> Hub::lowest_since() const {
    std::optional<Position> lowest;
    for (const Session &session : state_->sessions) {
        for (const Membership &membership : session.rooms) lowest = std::min(lowest.value_or(membership.since), membership.since);
    }
    return lowest;
}

void Hub::set_log_floor(Position floor) { state_->log_floor = floor; }
Position Hub::log_floor() const { return state_->log_floor; }

void Hub::lost() {
    each_connection([this](ConnectionId id) { close(id, Errc::must_refetch); });
    state_->latest_since = Position{};  // nobody who counts from a position of the other log hears anything any more
}

Hub::Stats Hub::stats() const { return {connections(), sessions(), rooms(), state_->queued_bytes, state_->replay.bytes()}; }

}  // namespace bridge::hub
