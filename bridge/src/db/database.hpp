// What handlers may ask of PostgreSQL, as plain calls: Queries is the door (tests fake it), Database the real one on three pools.
// Handlers and requests run alone on their connection, apart from each other; connects, join decisions, the sessions' bookkeeping and the
// status are short and share pipelined ones; decisions that wait at the same time travel as one statement. Every answer comes later, never
// inside the call, and exactly once.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/rng.hpp"
#include "db/query_pool.hpp"
#include "db/request_answer.hpp"
#include "loop/loop.hpp"

namespace bridge::db {

// A session's row in the database: what it is continued by, here or on another bridge.
struct StoredSession {
    PublicId key, socket_id;
    std::uint64_t generation = 1;  // counts its connections; only the newest may say how it ended
    Position position{};           // what the client has had
};

struct ConnectAnswer {
    struct Room {
        std::string room;
        Position since;
    };
    std::vector<Room> rooms;
    Cursor position;
    std::optional<StoredSession> recovered;  // goes on; nullopt: the new one that the question named
    std::string must_refetch;                // why not, when it was asked for
    std::string effects;                     // raw JSON array: what a new session is sent; empty: nothing
    std::string leases;                      // raw JSON array: where a session that goes on is present; empty: nowhere
};

// What a newer token changes for a session's rooms.
struct RefreshAnswer {
    std::vector<std::string> left, joined;
    Cursor position;
};

struct HandleAnswer {
    std::string ack;      // raw JSON array
    std::string effects;  // raw JSON array
    Cursor position;
};

struct DecideRequest {
    std::string room;
    std::string context;    // JSON object, as in bridge.md
    std::string session{};  // its stable key: an allowed join is stored with it, while it has this generation
    std::uint64_t generation = 0;
    std::string since{};  // a cursor: the client wants what it missed in this room; empty: no
};

struct Decision {
    bool allowed = false;
    std::string reason;              // for the log
    std::optional<Error> refusal{};  // what the policy says to the client; nullopt: nothing
    Cursor position;
    bool recovered = false;  // what happened after `since` may be given
    std::string must_refetch;
    Position since;
};

struct HandleRequest {
    std::string nsp;
    std::string event;
    std::string args;     // raw JSON array
    std::string context;  // JSON object
    std::vector<std::string> attachments;
    Trace trace;  // for the log
};

// To pulse.handle_answer.
struct AnswerRequest {
    std::string function;
    std::optional<std::string> args{};  // raw JSON array; nullopt: nobody answered
    std::string context;
    std::vector<std::string> attachments{};
    Trace trace{};
};

// A user or a token that is not let in any more.
struct Revocation {
    std::string user_id, jti;       // one may be empty
    double revoked_at, expires_at;  // seconds since 1970
};

class Queries {
public:
    template <class T>
    using Then = std::function<void(Result<T>)>;

    virtual ~Queries() = default;
    virtual bool up() const = 0;  // PostgreSQL can be asked
    virtual void connect(std::string nsp, std::string context, Trace trace, Then<ConnectAnswer> then) = 0;
    virtual void refresh(std::string nsp, std::string context, Trace trace, Then<RefreshAnswer> then) = 0;
    virtual void handle(HandleRequest request, Then<HandleAnswer> then) = 0;
    virtual void answer(AnswerRequest request, Then<HandleAnswer> then) = 0;  // its ack is empty
    virtual void decide(DecideRequest request, Then<Decision> then) = 0;
    virtual void request(RequestCall call, std::function<void(RequestAnswer)> then) = 0;
    // What became of this bridge's sessions, as a JSON array (bridge.md); also its sign of life. Answers the token by which the database
    // wants the bridge's leases; empty: it has them.
    virtual void sessions(std::string bridge, std::string changes, Then<std::string> then) = 0;
    virtual void revocations(Then<std::vector<Revocation>> then) = 0;
    virtual void status(Then<std::string> then) = 0;  // pulse.status(), raw JSON
    virtual void queues(Then<std::string> then) = 0;  // pulse.queue_depths(), a JSON array
};

class Database final : public Queries {
public:
    struct Options {
        std::string conninfo;
        std::string bridge_name{};  // what pulse.sessions calls it
        int pool_size = 4;
        std::size_t decisions_a_batch = 200;
        std::chrono::milliseconds patience_connect{5'000};  // while PostgreSQL is away
        std::chrono::milliseconds patience_handle{1'000};
        std::chrono::milliseconds patience_request{800};  // who asks by HTTP is answered within a second
    };

    Database(loop::Loop &loop, Rng &rng, Metrics &metrics, Options options);
    ~Database() override;

    void start();
    void stop();
    bool up() const override { return handlers_.up() > 0 && questions_.up() > 0; }
    const std::string &last_failure() const { return handlers_.failure().empty() ? questions_.failure() : handlers_.failure(); }
    std::size_t waiting() const { return handlers_.waiting() + questions_.waiting() + requests_.waiting() + decisions_.size(); }

    void connect(std::string nsp, std::string context, Trace trace, Then<ConnectAnswer> then) override;
    void refresh(std::string nsp, std::string context, Trace trace, Then<RefreshAnswer> then) override;
    void handle(HandleRequest request, Then<HandleAnswer> then) override;
    void answer(AnswerRequest request, Then<HandleAnswer> then) override;
    void decide(DecideRequest request, Then<Decision> then) override;
    void request(RequestCall call, std::function<void(RequestAnswer)> then) override;
    void sessions(std::string bridge, std::string changes, Then<std::string> then) override;
    void revocations(Then<std::vector<Revocation>> then) override;
    void status(Then<std::string> then) override;
    void queues(Then<std::string> then) override;

private:
    struct Waiting {
        DecideRequest request;
        Then<Decision> then;
    };
    void send_decisions();
    void ask_json(const Query &query, Then<std::string> then);

    loop::Loop &loop_;
    Metrics &metrics_;
    Options options_;
    QueryPool handlers_;
    QueryPool questions_;
    QueryPool requests_;
    std::vector<Waiting> decisions_;
    int batches_under_way_ = 0;
    bool flush_posted_ = false;
};

}  // namespace bridge::db
