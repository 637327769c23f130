// One connection as the handlers see it: its namespaces, the inbound packets that wait their turn, and its deadlines. Bytes are
// transport's, wire formats codec's, rooms and delivery the hub's, rules SQL's. Each thing a client can do is in its own file:
// connect.cpp, recover.cpp, refresh.cpp, event.cpp, answer.cpp, join.cpp, leave.cpp, disconnect.cpp; effects.cpp carries out what SQL asked
// for.
//
// A namespace:   (none) ──CONNECT──▶ connecting ──allowed, caught up──▶ connected ──left, kicked, expired──▶ ended ──CONNECT──▶ connecting
//                                        └──refused──▶ ended
// While it catches up with what it missed it is still connecting, but has a session already.
// In one namespace packets are handled in order, one at a time; what comes meanwhile waits, bounded.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/claims.hpp"
#include "base/error.hpp"
#include "base/protocol.hpp"
#include "base/token_bucket.hpp"
#include "base/traceparent.hpp"
#include "codec/packet.hpp"
#include "handlers/asks.hpp"
#include "handlers/services.hpp"

namespace bridge::handlers {

// What the HTTP request that opened the connection said.
struct Peer {
    std::string ip;
    std::string token;            // Authorization: Bearer, or ?token=; used where a CONNECT carries none
    std::string traceparent;      // empty: none
    std::string recovery, since;  // ?recovery= and ?since= of a native client that comes back
    std::string device{};         // device_name of the User-Agent
};
// Text that PostgreSQL takes, of at most 255 bytes; empty when `text` is none.
std::string device_name(std::string_view text);

class Client {
public:
    // `transport`: "websocket" or "polling", for handlers' context and the metrics.
    Client(Services &services, Protocol protocol, Peer peer, std::string_view transport = "websocket");
    ~Client();
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;

    // After Hub::open. A native client whose request carried a token is connected at once.
    void opened(ConnectionId id);
    // Before Hub::closed. `reason` is the metric label of why the connection ended.
    void closed(std::string_view reason);

    void receive(codec::Inbound packet);
    void goes_by(std::string_view transport) { transport_ = transport; }

    // The server stops: what arrives from now on is refused as unavailable. Ends the connection now, or as soon as what came before (a
    // connect, events and joins, waiting ones too) has been answered.
    void drain();

    // Ends every session (41 each on Socket.IO) and then the connection.
    void kick(Errc why);
    // Its token is not good any more: the one session ends, for good.
    void revoke(SessionId session);
    // The session goes on elsewhere, by a connection with this generation: this one has no say in it any more.
    void taken_over(SessionId session, std::uint64_t generation);
    // The hub took the session out of a room.
    void evicted(SessionId session, std::string_view room, Position position);

    ConnectionId id() const { return id_; }

private:
    enum class State : std::uint8_t { connecting, connected, ended };

    struct Waiting {  // exists only while a packet runs or waits
        std::deque<codec::Inbound> packets;
        std::size_t bytes = 0;
        bool busy = false;
        bool in_sql = false;  // what runs is an event or an answer
    };
    struct Namespace {
        std::string name;
        std::string traceparent;   // of what its client does, where that has none of its own; empty: none
        std::uint32_t serial = 0;  // a late answer finds its namespace by this
        State state = State::ended;
        SessionId session;
        std::uint64_t generation = 0;   // of the session's row: this connection's
        std::uint64_t last_change = 0;  // the bookkeeper's number of a leave, or of a lease: to be stored before its next event
        std::int64_t expires_at = 0;    // monotonic ms; 0: never
        TokenBucket rate;               // outlives the session: leaving and coming back gives no new burst
        std::unique_ptr<Waiting> waiting;
        std::unique_ptr<Asks> asks;  // once something was asked
    };
    struct Auth {  // what a CONNECT says
        std::string token, reconnect_token, device, traceparent;
        std::optional<std::string> pid;  // it wants to go on with this session
        std::optional<std::string> cursor;
        bool malformed = false;  // pid or cursor are not of their type
    };
    struct Attempt {  // one CONNECT under way
        std::uint32_t serial;
        ClaimsPtr claims;
        int tries;
        std::int64_t arrived_at;             // ms since 1970: of several that want one session, the last to come has it
        PublicId key{}, socket_id{}, pid{};  // for a new session; made for each question
        std::optional<PublicId> recover{};   // the pid to go on with
        std::optional<Cursor> seen{};        // the last event that the client has
        std::string must_refetch{};          // why it does not go on, as far as that is known
        std::string auth{};                  // what the client said, raw; empty: nothing
        std::string device{};                // what it is called
    };
    struct Applied {  // effects that are carried out; what is left to do
        bool disconnect = false;
        std::vector<std::string> attachments{};  // of the ack
    };
    enum class Row { keeps, forgets, lost };  // the session's row when it ends here: may be continued, may not, is another's

    // connect.cpp
    void connect(codec::Inbound packet);
    void enter(Namespace &nsp, Attempt attempt, const Auth &auth);
    Result<Auth> read_auth(const codec::Inbound &packet);
    Result<ClaimsPtr> authenticate(const Auth &auth);
    void ask_connect(Namespace &nsp, Attempt attempt);
    void connect_answered(Attempt attempt, Result<db::ConnectAnswer> answer);
    void begin_session(Namespace &nsp, Attempt attempt, const db::ConnectAnswer &answer);
    void refuse_connect(std::string_view nsp, const Error &error);
    void accepted(Namespace &nsp, const Claims &claims, const db::ConnectAnswer *fresh = nullptr);  // fresh: with effects to carry out
    void reject(Namespace &nsp, const Error &error);

    // recover.cpp
    void want_recovery(Attempt &attempt, const Auth &auth) const;
    std::string recovery_context(const Attempt &attempt) const;
    void continue_session(Namespace &nsp, Attempt attempt, const db::ConnectAnswer &answer);
    void recovery_ended(Attempt attempt, const hub::HistoryOutcome &outcome);
    static void abandon(Services &services, const Attempt &attempt, const db::ConnectAnswer &answer);
    static bool take_over(Services &services, const db::StoredSession &session);  // false: a newer connection has it
    std::string connected_frame(const Namespace &nsp, const Attempt &attempt, const db::StoredSession &session, const Cursor &position,
                                bool recovered) const;
    std::string offset(const Namespace *nsp) const;  // for an event to it that is not the log's; empty: none is wanted

    // event.cpp
    bool answer_at_once(Namespace &nsp, const codec::Inbound &packet);  // ping, heartbeat
    void event(Namespace &nsp, codec::Inbound packet);
    void ask_event(Namespace &nsp, codec::Inbound packet);
    void event_answered(std::uint32_t serial, const codec::Inbound &packet, const Trace &trace, Result<db::HandleAnswer> answer);

    // effects.cpp
    Applied apply_effects(Namespace &nsp, std::string_view list, const Cursor &position, const Trace &trace);
    void join_given(Namespace &nsp, const std::string &room, const Cursor &position, const Trace &trace);
    void present(Namespace &nsp, bool there, std::string_view value);
    void write_presence(Namespace &nsp, std::string_view rooms);
    void reply(Namespace &nsp, std::string_view message, bool many);
    void ask(Namespace &nsp, std::string_view question, const Trace &trace);

    // answer.cpp
    void acknowledged(Namespace &nsp, codec::Inbound packet);
    void not_answered(Namespace &nsp, std::string function);
    void tell_answer(Namespace &nsp, codec::Inbound packet);
    void answer_told(std::uint32_t serial, const Trace &trace, const Result<db::HandleAnswer> &result);
    void leave_asks(Namespace &nsp);  // before its session goes
    void leave_events(Namespace &nsp);
    db::AnswerRequest answer_request(const Namespace &nsp, codec::Inbound packet);

    // refresh.cpp
    void refresh(Namespace &nsp, codec::Inbound packet, bool waited = false);
    void ask_refresh(Namespace &nsp, codec::Inbound packet, ClaimsPtr claims);
    void refresh_answered(std::uint32_t serial, const codec::Inbound &packet, const Trace &trace, const ClaimsPtr &claims,
                          Result<db::RefreshAnswer> answer);
    void expire_with(Namespace &nsp, const Claims &claims);

    // join.cpp, leave.cpp
    void join(Namespace &nsp, codec::Inbound packet);
    struct JoinUnderWay {
        std::uint32_t serial;
        codec::Inbound packet;
        std::string room, since;  // since: a cursor; empty: nothing is wanted of before
        std::string must_refetch{};
        int tries;
        Trace trace{};
    };
    void ask_join(Namespace &nsp, JoinUnderWay join);
    void join_answered(JoinUnderWay join, Result<db::Decision> answer);
    void backfill(Namespace &nsp, JoinUnderWay join, const db::Decision &decision);
    void enter_room(Namespace &nsp, JoinUnderWay join, const Cursor &position);
    void not_joined(Namespace &nsp, std::string_view room);
    std::string join_ack(const JoinUnderWay &join, const Cursor &position) const;
    void leave(Namespace &nsp, codec::Inbound packet);
    void leave_room(Namespace &nsp, std::string_view room);

    // disconnect.cpp
    void disconnect(const codec::Inbound &packet);
    void end_session(Namespace &nsp, Errc why);  // ours: tells the client
    void forget_session(Namespace &nsp, std::string_view reason, Row row);
    void fire_deadline();
    void arm_deadline();

    // client.cpp
    // Calls f(client, nsp, true) when all that the session left is stored, since what a statement joins must not be undone by a leave
    // that was before it; with false when PostgreSQL does not take it.
    template <class F>
    void after_leaves(Namespace &nsp, F f) {
        after_leaves(nsp, std::move(f), [](Services &, Remains::Key) {});
    }
    // `gone` is called instead when the session has ended meanwhile.
    template <class F, class Gone>
    void after_leaves(Namespace &nsp, F f, Gone gone) {
        if (services_.bookkeeper.stored(nsp.last_change)) return f(*this, nsp, true);
        services_.bookkeeper.when_stored(nsp.last_change, [&services = services_, id = id_, serial = nsp.serial, f = std::move(f),
                                                           gone = std::move(gone)](bool stored) mutable {
            Client *client = services.clients.find(id);
            Namespace *found = client != nullptr ? client->find(serial) : nullptr;
            if (found != nullptr && found->state == State::connected) return f(*client, *found, stored);
            gone(services, Remains::Key{id, serial});
        });
    }
    void dispatch(Namespace &nsp, codec::Inbound packet);  // now, or when the one before is done
    void run(Namespace &nsp, codec::Inbound packet);
    void done(std::uint32_t serial);                              // the packet under way is finished: run the next
    std::int64_t over_rate(Namespace &nsp);                       // seconds to wait; 0: go on
    bool too_fast(Namespace &nsp, const codec::Inbound &packet);  // and refused
    Namespace *find(std::string_view name);
    Namespace *find(std::uint32_t serial);
    Namespace *find(SessionId session);
    bool at_work() const;
    void end_if_drained();
    void answer(Namespace &nsp, const codec::Inbound &packet, std::string_view args, std::span<const std::string> attachments = {});
    void refuse(const codec::Inbound &packet, const Error &error, std::string_view correlation_id = {});
    void end_connection(Errc why);
    std::string context(const Claims &claims, const PublicId &key, const PublicId &socket_id, std::string_view nsp,
                        const Trace &trace) const;
    std::string context(const Namespace &nsp, const Trace &trace) const;
    Trace new_trace(std::string traceparent) { return {std::string(services_.rng.id().view()), std::move(traceparent)}; }
    bool socketio() const { return protocol_ != Protocol::native; }

    Services &services_;
    Protocol protocol_;
    std::string_view transport_;
    bool ending_ = false;
    bool draining_ = false;
    bool ever_connected_ = false;
    std::uint32_t last_serial_ = 0;
    ConnectionId id_;
    Peer peer_;
    ClaimsPtr request_claims_;  // of peer_.token, once verified
    std::vector<std::unique_ptr<Namespace>> namespaces_;
    std::int64_t opened_at_ = 0;  // monotonic ms

    struct Alarm : loop::Wheel::Entry {
        explicit Alarm(Client &owner);
        Client &owner;
    };
    Alarm alarm_;
};

// The room named by the first argument of room:join and room:leave ({"room":"…","since":"…"?} or "…"), or by a native packet.
struct RoomRequest {
    std::string room;
    std::string since;  // as the client wrote it; empty: none
};
Result<RoomRequest> room_request(const codec::Inbound &packet);

}  // namespace bridge::handlers
