// The hub's inside, shared by hub.cpp (who is here) and fanout.cpp (the way of an event). Not for others.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hub/evictions.hpp"
#include "hub/frame_cache.hpp"
#include "hub/hub.hpp"
#include "hub/outbox.hpp"
#include "hub/replay.hpp"
#include "hub/rooms.hpp"
#include "hub/turn.hpp"

namespace bridge::hub {

inline constexpr std::uint32_t kNone = UINT32_MAX;
inline constexpr std::uint32_t kDeafLane = 0;             // connection 0 is nobody: what is pushed there is never written
inline constexpr Turn::FrameIndex kNoFrame = UINT32_MAX;  // the event is not for this encoding

struct Connection {
    Sink *sink = nullptr;
    std::unique_ptr<Outbox> outbox;  // exists only while something waits
    std::uint32_t generation = 0;    // odd: in use
    std::uint32_t first_session = kNone;
    std::optional<Errc> closing;  // sealed: takes nothing more
    bool dead = false;            // a write failed: closed() will come
};

// An interned (protocol, namespace), with the frame of the event under way.
struct Encoding {
    Protocol protocol;
    std::string nsp;
    bool names_room;
    bool spare = false;             // among spare_encodings
    std::uint32_t references = 0;   // sessions that use it
    std::uint64_t frame_stamp = 0;  // the delivery (or the room of it) that `frame` is for
    Turn::FrameIndex frame = 0;
    std::uint64_t receivers = 0;  // of the event under way
    std::string counted_event;    // name literal that `sent` counts
    prometheus::Counter *sent = nullptr;
    prometheus::Counter *streamed = nullptr;  // of an event stream: its messages
};

struct Hub::State {
    State(HubOptions o, Encoder &e, const Clock &c, Metrics &m)
        : options(o), encoder(e), clock(c), metrics(m), replay(o.replay_buffer_bytes), evictions(o.max_eviction_bytes) {
        connections.emplace_back();  // kDeafLane
        turn.grow(1);
    }

    const HubOptions options;
    Encoder &encoder;
    const Clock &clock;
    Metrics &metrics;

    std::vector<Connection> connections;
    std::vector<std::uint32_t> free_connections;
    std::size_t connection_count = 0;

    std::vector<Session> sessions;
    std::vector<SessionHot> hot;  // same index
    std::vector<std::uint32_t> free_sessions;
    std::size_t session_count = 0;
    IndexTable by_key;
    IndexTable by_user;  // the first session of each; the others are linked
    std::vector<Encoding> encodings;
    IndexTable by_encoding;
    std::vector<EncodingId> spare_encodings;  // nobody used them when they were put here
    std::vector<EncodingId> touched;          // scratch: those with receivers of the event under way

    Rooms rooms;
    Replay replay;
    Evictions evictions;
    FrameCache replayed_frames;
    std::string epoch;
    Position head;
    Position log_floor;
    // Decisions that were repeated for a room that the session is in, from ahead of the stream: an eviction that comes before them in the
    // stream does not end the membership, only what lies between. Bounded; one that is forgotten is on the safe side.
    struct Regrant {
        SessionId session;
        std::string room;
        Position at;
    };
    std::deque<Regrant> regrants;
    Position latest_since;  // no membership has a `since` above it: beyond, a delivery need not look at them

    Turn turn;
    std::uint64_t stamp = 0;
    std::size_t queued_bytes = 0;
    std::vector<ConnectionId> closing;
    std::size_t turn_events = 0;
    Clock::Instant turn_started{};
    Clock::Instant may_flush_at{};            // not before: the last flush took long
    std::string joined;                       // scratch: several frames of one receiver
    std::vector<Turn::FrameIndex> joined_of;  // which frames those are
    std::vector<RoomIndex> targets;           // scratch
    std::function<void(SessionId, std::string_view, Position)> on_evicted;
    std::function<void(SessionId)> on_revoked;
    std::function<void(const Event &)> on_system;

    Connection *find(ConnectionId id) {
        if (id.index >= connections.size() || !id || connections[id.index].generation != id.generation) return nullptr;
        return &connections[id.index];
    }
    Session *find(SessionId id) {
        if (id.index >= sessions.size() || !id || sessions[id.index].generation != id.generation) return nullptr;
        return &sessions[id.index];
    }
    EncodingId encoding(Protocol protocol, std::string_view nsp);
    void release_encoding(EncodingId id);
    // What `encoding` sends of the event, held for this turn.
    Turn::FrameIndex hold(const Encoding &encoding, const Event &event, std::string_view cursor, std::string_view room) {
        FramePtr frame = encoder.encode(encoding.protocol, encoding.nsp, event, cursor, room);
        return frame ? turn.hold(std::move(frame)) : kNoFrame;
    }
    std::uint32_t with_key(const PublicId &key) const {
        return by_key.find(IndexTable::hash(key.view()), [&](std::uint32_t session) { return sessions[session].key == key; });
    }
    std::uint32_t with_user(std::string_view user) const {
        return by_user.find(IndexTable::hash(user), [&](std::uint32_t session) { return sessions[session].claims->user_id == user; });
    }
    void link_user(std::uint32_t session);
    void unlink_user(std::uint32_t session);
    void leave_all(std::uint32_t session);
    void seal(std::uint32_t connection);
    void count_sent(Encoding &encoding, std::string_view name, std::uint64_t receivers);
    void count_touched(std::string_view name);

    // join.cpp
    struct Missed {
        const Replay::Entry *entry;
        std::string_view room;
    };
    class Wanted;
    void remember_regrant(SessionId session, const RoomSince &room);
    bool ending(const Session &session) const;
    bool find_missed(std::uint32_t session, Wanted &wanted, std::vector<Missed> &missed);
    std::size_t send_missed(std::uint32_t session, const Missed &missed, Position cursor);
    bool had(std::uint32_t session, const Event &event) const;

    // evict.cpp
    void act(const Event &event);
    void evict(const Eviction &eviction);
    void revoke(const Eviction &eviction);
    void tell_evicted(std::uint32_t session, const Eviction &eviction, Position cursor);

    bool find_targets(const Event &event);
    void fan_out(const Event &event, Position position, std::string_view cursor);
    template <bool kCheckSince>
    void give(const Event &event, Position position, std::string_view cursor);
    void write_out();
    void write(std::uint32_t connection, std::span<const Turn::FrameIndex> frames);
    void enqueue(std::uint32_t connection, std::span<const Turn::FrameIndex> frames);
    void drop_outbox(Connection &connection);
    std::optional<PublicId> except(std::string_view headers) const;
    std::string cursor_text(Position position) const { return epoch + ':' + std::to_string(position.value); }
};

}  // namespace bridge::hub
