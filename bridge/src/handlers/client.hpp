// One connection as the handlers see it: its namespaces, the inbound packets that wait their turn, and its deadlines. Bytes are
// transport's, wire formats codec's, rooms and delivery the hub's, rules SQL's. Each thing a client can do is in its own file:
// connect.cpp, event.cpp, join.cpp, leave.cpp, disconnect.cpp.
//
// A namespace:   (none) ──CONNECT──▶ connecting ──allowed──▶ connected ──left, kicked, expired──▶ ended ──CONNECT──▶ connecting
//                                        └──refused──▶ ended
// In one namespace packets are handled in order, one at a time; what comes meanwhile waits, bounded.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/claims.hpp"
#include "base/error.hpp"
#include "base/protocol.hpp"
#include "codec/packet.hpp"
#include "handlers/services.hpp"

namespace bridge::handlers {

// What the HTTP request that opened the connection said.
struct Peer {
    std::string ip;
    std::string token;  // Authorization: Bearer, or ?token=; used where a CONNECT carries none
    std::string traceparent;
};

class Client {
public:
    Client(Services &services, Protocol protocol, Peer peer);
    ~Client();
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;

    // After Hub::open. A native client whose request carried a token is connected at once.
    void opened(ConnectionId id);
    // Before Hub::closed. `reason` is the metric label of why the connection ended.
    void closed(std::string_view reason);

    void receive(codec::Inbound packet);

    // The server stops: nothing that arrives or waits is begun any more. Ends the connection now, or as soon as what is under way
    // (a handler, a join) has been answered.
    void drain();

    // Ends every session (41 each on Socket.IO) and then the connection.
    void kick(Errc why);

    ConnectionId id() const { return id_; }

private:
    enum class State : std::uint8_t { connecting, connected, ended };

    struct Waiting {  // exists only while a packet runs or waits
        std::deque<codec::Inbound> packets;
        std::size_t bytes = 0;
        bool busy = false;
    };
    struct Namespace {
        std::string name;
        std::uint32_t serial = 0;  // a late answer finds its namespace by this
        State state = State::ended;
        SessionId session;
        std::int64_t expires_at = 0;  // monotonic ms; 0: never
        std::unique_ptr<Waiting> waiting;
    };
    struct Attempt {  // one CONNECT under way
        std::uint32_t serial;
        PublicId key, socket_id;
        ClaimsPtr claims;
        int tries;
    };

    // connect.cpp
    void connect(codec::Inbound packet);
    Result<ClaimsPtr> authenticate(const codec::Inbound &packet);
    void ask_connect(Namespace &nsp, Attempt attempt);
    void connect_answered(Attempt attempt, Result<db::ConnectAnswer> answer);
    void refuse_connect(std::string_view nsp, const Error &error);
    void accepted(Namespace &nsp, const Claims &claims);
    void reject(Namespace &nsp, const Error &error);

    // event.cpp
    bool answer_at_once(Namespace &nsp, const codec::Inbound &packet);  // ping, heartbeat
    void event(Namespace &nsp, codec::Inbound packet);
    void event_answered(std::uint32_t serial, const codec::Inbound &packet, const std::string &correlation_id,
                        Result<db::HandleAnswer> answer);
    void apply_effects(Namespace &nsp, const db::HandleAnswer &answer, std::optional<std::string> &disconnect_reason);

    // join.cpp, leave.cpp
    void join(Namespace &nsp, codec::Inbound packet);
    void ask_join(Namespace &nsp, std::string room, codec::Inbound packet, int tries);
    void join_answered(std::uint32_t serial, std::string room, codec::Inbound packet, int tries, const std::string &correlation_id,
                       Result<db::Decision> answer);
    void leave(Namespace &nsp, const codec::Inbound &packet);

    // disconnect.cpp
    void disconnect(const codec::Inbound &packet);
    void end_session(Namespace &nsp, Errc why);  // ours: tells the client
    void forget_session(Namespace &nsp, std::string_view reason);
    void fire_deadline();
    void arm_deadline();

    // client.cpp
    void dispatch(Namespace &nsp, codec::Inbound packet);  // now, or when the one before is done
    void run(Namespace &nsp, codec::Inbound packet);
    void done(std::uint32_t serial);  // the packet under way is finished: run the next
    Namespace *find(std::string_view name);
    Namespace *find(std::uint32_t serial);
    bool at_work() const;
    void end_if_drained();
    void answer(Namespace &nsp, const codec::Inbound &packet, std::string_view args);
    void refuse(const codec::Inbound &packet, const Error &error, std::string_view correlation_id = {});
    void end_connection(Errc why);
    std::string context(const Claims &claims, const PublicId &key, const PublicId &socket_id, std::string_view nsp,
                        std::string_view correlation_id) const;
    std::string context(const Namespace &nsp, std::string_view correlation_id) const;
    std::string new_correlation_id() { return std::string(services_.rng.id().view()); }
    bool socketio() const { return protocol_ != Protocol::native; }

    Services &services_;
    Protocol protocol_;
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

// The room named by the first argument of room:join and room:leave ({"room":"…"} or "…"), or by a native packet.
Result<std::string> room_of(const codec::Inbound &packet);

}  // namespace bridge::handlers
