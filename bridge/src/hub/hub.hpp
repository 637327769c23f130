// Who is here, in which rooms, and the way of an event to all of them. Owns connections' outboxes and sessions; knows no socket (Sink),
// no wire format (Encoder) and no SQL. Everything runs on the loop thread; what is sent during a loop turn goes out in flush(),
// which the loop calls at the end of each turn: frames for one socket leave in one write.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/claims.hpp"
#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/metrics.hpp"
#include "base/protocol.hpp"
#include "base/result.hpp"
#include "hub/encoder.hpp"
#include "hub/frame.hpp"
#include "hub/recovering.hpp"
#include "hub/session.hpp"
#include "hub/sink.hpp"

namespace bridge::hub {

struct HubOptions {
    std::size_t max_queue_bytes = 1'048'576;  // waiting for one slow socket; more: Errc::slow_client
    std::size_t replay_buffer_bytes = 16'777'216;
    std::size_t max_rooms_per_session = 10'000;
    std::size_t max_eviction_bytes = 4'194'304;  // remembered evictions
};

struct SessionSpec {
    Protocol protocol = Protocol::socketio;
    std::string_view nsp = "/";  // or a scope: base/scope.hpp
    PublicId key;
    PublicId socket_id;
    ClaimsPtr claims;  // never null; anonymous clients have empty claims
    Position base{};   // what the client has seen already: its cursor, or the position of the decision that made it a session
};

struct RoomSince {
    std::string_view room;
    Position since;
};

enum class Join {
    joined,    // at least one of the rooms is new
    already,   // was in all of them
    too_old,   // the ring does not hold all events since then: nothing was changed; ask for a fresh decision
    too_many,  // max_rooms_per_session: nothing was changed
    evicted,   // the user lost one of the rooms, or the token, after `since`: nothing was changed; ask for a fresh decision
    gone,      // no such session
};

// One step of a recovery, see Hub::resume().
enum class Step {
    live,      // it has everything, and is in its rooms
    more,      // its window is full: again when the socket has taken all of it, from `reached`
    too_old,   // the ring does not hold all that is missing: nothing was sent in this step, read it from the log
    too_much,  // more than max_events are missing: nothing was sent
    evicted,   // as in Join
    too_many,  // max_rooms_per_session
    gone,      // no such session, or its connection is ending
};

struct Eviction;

class Hub {
public:
    Hub(HubOptions options, Encoder &encoder, const Clock &clock, Metrics &metrics);
    ~Hub();
    Hub(const Hub &) = delete;
    Hub &operator=(const Hub &) = delete;

    // --- connections. `sink` must live until closed(). ---
    ConnectionId open(Sink &sink);
    // The socket is gone: its sessions end, queued bytes are dropped. Ask each_session() before it, to know who ended.
    void closed(ConnectionId id);
    // The socket takes bytes again.
    void writable(ConnectionId id);
    // End it after what was sent so far: Sink::close(why) is called in flush(). Later sends are dropped. Its sessions stay, deaf,
    // until closed(). While something still waiting() for a slow socket, the sink goes on to call writable(), for as long as it
    // is willing to wait.
    void close(ConnectionId id, Errc why);
    bool waiting(ConnectionId id) const;
    std::size_t connections() const;

    // --- sessions ---
    SessionId add_session(ConnectionId connection, const SessionSpec &spec);  // nobody when the connection is gone
    void remove_session(SessionId id);                                        // leaves its rooms; the connection stays
    void set_claims(SessionId id, ClaimsPtr claims);                          // a newer token of the same user
    const Session *find(SessionId id) const;                                  // null when gone; valid until the next hub call
    SessionId find_key(const PublicId &key) const;                            // the newest with this stable session id
    Protocol protocol(SessionId id) const;
    std::string_view nsp(SessionId id) const;
    std::size_t sessions() const;
    void each_session(ConnectionId connection, const std::function<void(SessionId)> &f) const;
    void each_connection(const std::function<void(ConnectionId)> &f) const;

    // --- rooms. Joins take effect at `since`, the position of the snapshot in which they were allowed. ---
    // Replays to the session, in order and once, the events of these rooms in (since, head] that it did not get through another
    // room; events up to `since` that arrive later are not delivered through them.
    // `first`, the answer that says "you are in", goes out only when it is true: before what is replayed to a session that is in no room
    // yet (its connect), and after it to one that is. The latter has seen later events, so what is replayed carries its own cursor;
    // were it cut in between, it has not been told that it is in.
    // Each room has its own `since`.
    Join join(SessionId id, std::span<const RoomSince> rooms, FramePtr first = nullptr);
    Join join(SessionId id, std::span<const std::string_view> rooms, Position since, FramePtr first = nullptr);
    Join join(SessionId id, std::string_view room, Position since, FramePtr first = nullptr) {
        return join(id, {&room, 1}, since, std::move(first));
    }
    bool leave(SessionId id, std::string_view room);  // false: was not in it
    bool in_room(SessionId id, std::string_view room) const;
    // In the room, and hears all of it behind its cursor: a membership may begin at a position that this bridge has not come to yet.
    bool hears(SessionId id, std::string_view room) const;
    std::size_t members(std::string_view room) const;
    std::vector<std::string> rooms_of(SessionId id) const;
    std::size_t rooms() const;

    // --- recovery; for History ---
    // Gives a recovering session what the ring holds of its missing events, up to `window` bytes, and when that is all, makes it live:
    // in the same loop turn, so nothing is between. Evictions after `reached` take effect at their position once it has begun.
    Step resume(Recovering &recovering, std::size_t window, std::size_t max_events);
    Position ring_floor() const;  // the events after it are in the ring
    // One missed event to one session, unless it came through a room it is in. `offset` is the event's own position unless given.
    void deliver_to(SessionId id, const Event &event, std::optional<Position> offset = std::nullopt);
    // The same to many, encoded once for all. `bytes` tells how much each was sent: 0 means nothing.
    struct Receiver {
        SessionId session;
        std::string_view room;  // of the event's rooms, the one that it is sent for
        bool backfill = false;
        std::size_t bytes = 0;
    };
    void deliver_to(std::span<Receiver> receivers, const Event &event);
    // The socket of this session has taken everything, or is gone.
    bool drained(SessionId id) const;
    void tell_evicted(SessionId id, const Eviction &eviction, Position cursor);  // sends `room:evicted`
    bool ending(SessionId id) const;                                             // no such session, or its connection takes nothing more

    // --- what SQL takes away. deliver() acts on it in order; others may want to know. ---
    // A session was taken out of a room: bookkeeping. Called inside deliver() or resume().
    void on_evicted(std::function<void(SessionId, std::string_view room, Position)> f);
    // A session's token is revoked; without this its connection is closed. Called inside deliver().
    void on_revoked(std::function<void(SessionId)> f);
    // Every event of the room pulse:system, after the hub has acted on it. Called inside deliver().
    void on_system(std::function<void(const Event &)> f);

    // --- sending; kept until flush(), in order. Dropped silently when the receiver is gone. ---
    void send(ConnectionId id, FramePtr frame);
    void send(SessionId id, FramePtr frame);
    // Same frame to one session through the Encoder: effects `reply`. Position and id of `event` may be 0.
    void send_event(SessionId id, const Event &event);
    // The loop (or a test) calls this once at the end of each turn. Inside other calls nothing is written, but for writable(), and
    // for deliver() when a turn has grown to kMaxTurn sends.
    //
    // After a flush that took long (kLongFlush) and in which frames shared writes, the next one waits for at most as long and kMaxPause:
    // so events of a stream share writes (a write of sixteen frames costs the kernel little more than one of one). Events that come one
    // by one, or after a pause, are never held back. Then it answers after how long it wants to be called, also when nothing else happens.
    std::optional<std::chrono::milliseconds> flush();
    static constexpr std::chrono::milliseconds kLongFlush{2};
    static constexpr std::chrono::milliseconds kMaxPause{10};
    static constexpr std::size_t kMaxTurn = 262'144;

    // --- the stream; called by Feed in order of positions ---
    void set_epoch(std::string_view epoch);
    void deliver(const Event &event);  // sessions of event.rooms, each once, minus headers.exceptSession
    // To the sessions of its rooms that are here, and kept for nobody.
    void deliver_ephemeral(const Event &event);
    void pass_by(const Event &event);  // by reference, and anybody_in() said no: only remembered, for later joins
    bool anybody_in(std::string_view rooms_json) const;
    void advance(Position head);  // everything up to `head` has been delivered
    void start_anew();            // the stream begins at the head: the ring is empty
    Position head() const;
    Cursor cursor() const;
    Cursor cursor(SessionId id) const;             // what this session has seen: the head, or its base when that is ahead
    std::optional<Position> lowest_since() const;  // of all memberships
    // The lowest position that the database may still give, when last heard.
    void set_log_floor(Position floor);
    Position log_floor() const;
    // The positions above the head were given anew, or some before it can no longer be read: every connection ends, to come back.
    void lost();

    struct Stats {
        std::size_t connections, sessions, rooms, queued_bytes, replay_bytes;
    };
    Stats stats() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace bridge::hub
