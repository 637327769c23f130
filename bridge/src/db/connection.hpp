// One connection to PostgreSQL in the event loop: asynchronous look-up of its host and connect, prepared statements, queries in order,
// notifications, and reconnection with back-off for as long as the object lives. It never blocks, and it decides nothing about what is
// sent. In pipeline mode several statements travel at once, each its own transaction. Used by Listener and QueryPool. A statement whose
// answer is not there by its deadline ends the connection: the peer is gone or hangs.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/rng.hpp"
#include "db/backoff.hpp"
#include "db/hosts.hpp"
#include "db/queries.hpp"
#include "loop/loop.hpp"

struct pg_conn;
struct pg_result;

namespace bridge::db {

// The rows of one answer. Views stay valid as long as the object.
class Rows {
public:
    explicit Rows(pg_result *result) : result_(result) {}

    int size() const;
    bool is_null(int row, int column) const;
    std::string_view text(int row, int column) const;  // empty when null

private:
    struct Clear {
        void operator()(pg_result *result) const;
    };
    std::unique_ptr<pg_result, Clear> result_;
};

struct SqlError {
    std::string sqlstate;  // empty: the connection was lost, or never there
    std::string message;
    std::string detail;
    std::string hint;
    std::string context{};  // where in SQL

    bool lost() const { return sqlstate.empty(); }
};

using Answer = std::variant<Rows, SqlError>;
using OnAnswer = std::function<void(Answer)>;
using OnRow = std::function<void(const Rows &)>;  // one row at a time; the final Answer then has none

struct Parameter {
    std::optional<std::string> text;  // nullopt: NULL
    Parameter(std::string value) : text(std::move(value)) {}
    Parameter(std::nullopt_t) {}
};

struct ConnectionOptions {
    std::string conninfo;
    std::string application_name = "pulse-bridge";
    bool pipeline = false;
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds statement_timeout{60'000};  // above pulse.handler_timeout: the last resort
    std::vector<const Query *> prepare;                   // prepared before on_up
};

// Before the loop starts: is this a connection string at all? Names what is wrong with it.
Result<void> check_conninfo(const std::string &conninfo);

class Connection {
public:
    // on_down is called once for each on_up, or for each failed try, after every pending statement was answered as lost.
    struct Callbacks {
        std::function<void()> on_up;
        std::function<void(const std::string &why)> on_down;
        std::function<void(int pid, std::string_view channel, std::string_view payload)> on_notification;
    };

    Connection(loop::Loop &loop, Rng &rng, ConnectionOptions options, Callbacks callbacks);
    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    void open();                           // keeps trying until close()
    void close();                          // pending statements are answered as lost, nothing else is called afterwards
    void restart(const std::string &why);  // gives this connection up and tries anew

    bool up() const { return state_ == State::up; }
    std::size_t in_flight() const { return sent_.size() + waiting_.size(); }

    // Only while up(). Answers come in the order of the calls.
    void run(const Query &query, std::vector<Parameter> parameters, OnAnswer answer, OnRow row = nullptr);
    void run_text(std::string sql, OnAnswer answer);  // LISTEN and the like: no parameters

private:
    enum class State { closed, waiting, resolving, connecting, preparing, up };
    struct Statement {
        const Query *query = nullptr;  // null: `sql` as it is
        std::string sql;
        std::vector<Parameter> parameters;
        OnAnswer answer;
        OnRow row;
        std::chrono::steady_clock::time_point deadline{};
        std::optional<Answer> result;
        bool preparing = false;
        bool stale = false;
    };

    void attempt();
    void connect(const HostLists &hosts);  // empty: as the connection string says
    void poll_connect();
    void start_preparing();
    void go_up();
    void on_io(unsigned events);
    void pump();
    bool transmit(Statement &statement);
    void read_results();
    void take_result(pg_result *result);
    void finish_front();
    void flush();
    void check_deadlines();
    void lose(const std::string &why);
    void enqueue(Statement statement);
    std::string last_error() const;

    loop::Loop &loop_;
    ConnectionOptions options_;
    Callbacks callbacks_;
    Backoff backoff_;
    State state_ = State::closed;
    struct Finish {
        void operator()(pg_conn *connection) const;
    };
    std::unique_ptr<pg_conn, Finish> connection_;
    std::unique_ptr<loop::Watch> watch_;
    std::unique_ptr<Lookup> lookup_;
    std::unique_ptr<loop::Timer> timer_;  // connect timeout, back-off
    std::unique_ptr<loop::Timer> deadlines_;
    std::deque<Statement> sent_;     // answers are expected for these, in order
    std::deque<Statement> waiting_;  // not sent yet
    std::uint64_t life_ = 0;         // changes with every loss: callbacks that destroy or restart us are noticed
    bool reading_ = false;
};

}  // namespace bridge::db
