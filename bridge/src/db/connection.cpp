// libpq in the loop: names looked up beside it, PQconnectPoll until up, then PQsend… / PQflush / PQconsumeInput on readiness.
#include "db/connection.hpp"

#include <libpq-fe.h>

#include <utility>

namespace bridge::db {

namespace {

std::string trimmed(const char *text) {
    std::string out = text == nullptr ? "" : text;
    while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
    for (char &c : out) {
        if (c == '\n' || c == '\t') c = ' ';
    }
    return out;
}

SqlError error_of(const PGresult *result) {
    const auto field = [result](int code) { return trimmed(PQresultErrorField(result, code)); };
    SqlError error{field(PG_DIAG_SQLSTATE), field(PG_DIAG_MESSAGE_PRIMARY), field(PG_DIAG_MESSAGE_DETAIL), field(PG_DIAG_MESSAGE_HINT),
                   field(PG_DIAG_CONTEXT)};
    if (error.message.empty()) error.message = trimmed(PQresultErrorMessage(result));
    return error;  // libpq's own failures carry no SQLSTATE: they mean a lost connection
}

// The extension was replaced under a prepared statement. A handler may raise the same SQLSTATE for reasons of its own: where in the
// server it came from tells them apart.
bool is_stale(const PGresult *result) {
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    const std::string_view from = function == nullptr ? "" : function;
    return from == "RevalidateCachedQuery" || from == "FetchPreparedStatement";
}

}  // namespace

// ---- Rows

void Rows::Clear::operator()(pg_result *result) const { PQclear(result); }
int Rows::size() const { return PQntuples(result_.get()); }
bool Rows::is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
std::string_view Rows::text(int row, int column) const {
    return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

Result<void> check_conninfo(const std::string &conninfo) {
    char *why = nullptr;
    PQconninfoOption *options = PQconninfoParse(conninfo.c_str(), &why);
    if (options != nullptr) {
        PQconninfoFree(options);
        return {};
    }
    const std::string text = "the database URL is not valid: " + trimmed(why);
    PQfreemem(why);
    return Error{Errc::invalid, text};
}

// ---- Connection: its life

void Connection::Finish::operator()(pg_conn *connection) const { PQfinish(connection); }

Connection::Connection(loop::Loop &loop, Rng &rng, ConnectionOptions options, Callbacks callbacks)
    : loop_(loop), options_(std::move(options)), callbacks_(std::move(callbacks)), backoff_(rng), timer_(loop.timer()),
      deadlines_(loop.timer()) {}

Connection::~Connection() = default;

void Connection::open() {
    if (state_ == State::closed) attempt();
}

void Connection::close() {
    ++life_;
    state_ = State::closed;
    lookup_.reset();
    timer_->stop();
    deadlines_->stop();
    watch_.reset();  // before its descriptor is closed
    connection_.reset();
    auto pending = std::exchange(sent_, {});
    for (auto &statement : waiting_) pending.push_back(std::move(statement));
    waiting_.clear();
    for (auto &statement : pending) {
        if (statement.answer) statement.answer(SqlError{"", "the connection was closed", "", ""});
    }
}

void Connection::restart(const std::string &why) {
    if (state_ != State::closed && state_ != State::waiting) lose(why);
}

// Names are looked up at each try: after a failover they may lead elsewhere.
void Connection::attempt() {
    std::vector<HostPort> hosts = hosts_to_look_up(options_.conninfo);
    if (hosts.empty()) return connect({});
    state_ = State::resolving;
    timer_->once(options_.connect_timeout, [this] { lose("timed out while looking up the host"); });
    lookup_ = std::make_unique<Lookup>(loop_, std::move(hosts), [this](Result<HostLists> found) {
        if (!found) return lose(found.error().detail);
        connect(*found);
    });
}

void Connection::connect(const HostLists &hosts) {
    state_ = State::connecting;
    // Later keywords win over earlier ones: first what stands in for what the connection string leaves out, then the string, then the
    // addresses. An empty value is none.
    const char *keywords[] = {"application_name",
                              "keepalives_idle",
                              "keepalives_interval",
                              "keepalives_count",
                              "tcp_user_timeout",
                              "client_encoding",
                              "dbname",
                              "host",
                              "hostaddr",
                              "port",
                              nullptr};
    const char *values[] = {options_.application_name.c_str(),
                            "10",
                            "5",
                            "3",
                            "15000",
                            "UTF8",
                            options_.conninfo.c_str(),
                            hosts.host.c_str(),
                            hosts.hostaddr.c_str(),
                            hosts.port.c_str(),
                            nullptr};
    connection_.reset(PQconnectStartParams(keywords, values, 1));
    if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) {
        lose(connection_ ? last_error() : "out of memory");
        return;
    }
    PQsetNoticeProcessor(
        connection_.get(), [](void *, const char *) {}, nullptr);
    timer_->once(options_.connect_timeout, [this] { lose("timed out while connecting"); });
    watch_ = loop_.watch(PQsocket(connection_.get()), [this](unsigned) { poll_connect(); });
    watch_->want(loop::kWritable);
}

void Connection::poll_connect() {
    watch_.reset();  // libpq may try another address on another descriptor, even one with the same number
    const PostgresPollingStatusType status = PQconnectPoll(connection_.get());
    if (status == PGRES_POLLING_FAILED) {
        lose(last_error());
        return;
    }
    if (status == PGRES_POLLING_OK) {
        if (PQsetnonblocking(connection_.get(), 1) != 0 || (options_.pipeline && PQenterPipelineMode(connection_.get()) != 1)) {
            lose(last_error());
            return;
        }
        watch_ = loop_.watch(PQsocket(connection_.get()), [this](unsigned events) { on_io(events); });
        watch_->want(loop::kReadable);
        start_preparing();
        return;
    }
    watch_ = loop_.watch(PQsocket(connection_.get()), [this](unsigned) { poll_connect(); });
    watch_->want(status == PGRES_POLLING_READING ? loop::kReadable : loop::kWritable);
}

void Connection::start_preparing() {
    state_ = State::preparing;
    deadlines_->every(std::chrono::seconds(1), [this] { check_deadlines(); });
    if (options_.prepare.empty()) {
        go_up();
        return;
    }
    for (const Query *query : options_.prepare) {
        Statement statement;
        statement.query = query;
        statement.preparing = true;
        statement.answer = [this, last = query == options_.prepare.back()](Answer answer) {
            if (state_ != State::preparing) return;
            if (auto *error = std::get_if<SqlError>(&answer)) {
                lose(error->message);
            } else if (last) {
                go_up();
            }
        };
        enqueue(std::move(statement));
    }
}

void Connection::go_up() {
    timer_->stop();
    state_ = State::up;
    if (callbacks_.on_up) callbacks_.on_up();
}

void Connection::lose(const std::string &why) {
    ++life_;
    state_ = State::waiting;
    lookup_.reset();
    deadlines_->stop();
    watch_.reset();
    connection_.reset();
    auto pending = std::exchange(sent_, {});
    for (auto &statement : waiting_) pending.push_back(std::move(statement));
    waiting_.clear();
    timer_->once(backoff_.next(), [this] { attempt(); });
    for (auto &statement : pending) {
        if (statement.answer && !statement.preparing) statement.answer(SqlError{"", why, "", ""});
    }
    if (callbacks_.on_down) callbacks_.on_down(why);
}

std::string Connection::last_error() const { return trimmed(PQerrorMessage(connection_.get())); }

// ---- statements

void Connection::run(const Query &query, std::vector<Parameter> parameters, OnAnswer answer, OnRow row) {
    Statement statement;
    statement.query = &query;
    statement.parameters = std::move(parameters);
    statement.answer = std::move(answer);
    statement.row = std::move(row);
    if (state_ != State::up) {
        statement.answer(SqlError{"", "there is no connection", "", ""});
        return;
    }
    enqueue(std::move(statement));
}

void Connection::run_text(std::string sql, OnAnswer answer) {
    Statement statement;
    statement.sql = std::move(sql);
    statement.answer = std::move(answer);
    if (state_ != State::up) {
        statement.answer(SqlError{"", "there is no connection", "", ""});
        return;
    }
    enqueue(std::move(statement));
}

void Connection::enqueue(Statement statement) {
    waiting_.push_back(std::move(statement));
    if (!reading_) pump();
}

void Connection::pump() {
    while (!waiting_.empty() && (options_.pipeline || sent_.empty())) {
        Statement &statement = waiting_.front();
        statement.deadline = std::chrono::steady_clock::now() + options_.statement_timeout;
        if (!transmit(statement)) {
            lose(last_error());
            return;
        }
        sent_.push_back(std::move(statement));
        waiting_.pop_front();
    }
    flush();
}

bool Connection::transmit(Statement &statement) {
    PGconn *connection = connection_.get();
    int sent = 0;
    if (statement.preparing) {
        sent = PQsendPrepare(connection, statement.query->name, statement.query->sql, 0, nullptr);
    } else if (statement.query != nullptr) {
        std::vector<const char *> values;
        values.reserve(statement.parameters.size());
        for (const Parameter &parameter : statement.parameters) {
            values.push_back(parameter.text ? parameter.text->c_str() : nullptr);
        }
        sent = PQsendQueryPrepared(connection, statement.query->name, static_cast<int>(values.size()), values.data(), nullptr, nullptr, 0);
    } else {
        sent = PQsendQueryParams(connection, statement.sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0);
    }
    if (sent != 1) return false;
    if (statement.row && PQsetSingleRowMode(connection) != 1) return false;
    return !options_.pipeline || PQpipelineSync(connection) == 1;
}

void Connection::flush() {
    const int left = PQflush(connection_.get());
    if (left < 0) {
        lose(last_error());
        return;
    }
    watch_->want(left > 0 ? (loop::kReadable | loop::kWritable) : unsigned{loop::kReadable});
}

void Connection::on_io(unsigned events) {
    if (events & loop::kWritable) {
        const std::uint64_t life = life_;
        flush();
        if (life != life_) return;
    }
    if (events & (loop::kReadable | loop::kFailed)) read_results();
}

void Connection::read_results() {
    const std::uint64_t life = life_;
    if (PQconsumeInput(connection_.get()) != 1) {
        lose(last_error());
        return;
    }
    reading_ = true;
    while (life == life_ && !sent_.empty() && PQisBusy(connection_.get()) == 0) {
        PGresult *result = PQgetResult(connection_.get());
        if (result == nullptr) {
            // The end of one statement; in pipeline mode its sync result is still to come.
            if (!options_.pipeline) finish_front();
            continue;
        }
        take_result(result);
    }
    while (life == life_) {
        PGnotify *notification = PQnotifies(connection_.get());
        if (notification == nullptr) break;
        struct Free {
            void operator()(PGnotify *held) const { PQfreemem(held); }
        };
        const std::unique_ptr<PGnotify, Free> held(notification);
        if (callbacks_.on_notification) callbacks_.on_notification(held->be_pid, held->relname, held->extra);
    }
    reading_ = false;
    if (life == life_) pump();
}

void Connection::take_result(PGresult *result) {
    Statement &front = sent_.front();
    switch (PQresultStatus(result)) {
        case PGRES_SINGLE_TUPLE: {
            const Rows row(result);
            const OnRow on_row = front.row;  // the callback may end this connection and with it `front`
            if (on_row) on_row(row);
            return;
        }
        case PGRES_TUPLES_OK:
        case PGRES_COMMAND_OK: front.result.emplace(Rows(result)); return;
        case PGRES_PIPELINE_SYNC:
            PQclear(result);
            finish_front();
            return;
        default:
            front.result.emplace(error_of(result));
            front.stale = is_stale(result);
            PQclear(result);
            return;
    }
}

void Connection::finish_front() {
    Statement done = std::move(sent_.front());
    sent_.pop_front();
    Answer answer = done.result ? std::move(*done.result) : Answer(SqlError{"", "the server sent no result", "", ""});
    if (!done.preparing && std::holds_alternative<Rows>(answer)) backoff_.reset();
    const std::uint64_t life = life_;
    if (done.answer) done.answer(std::move(answer));
    if (done.stale && !done.preparing && life == life_) lose("a prepared statement is stale");  // prepares anew
}

void Connection::check_deadlines() {
    if (sent_.empty() || std::chrono::steady_clock::now() < sent_.front().deadline) return;
    lose("the server did not answer in time");
}

}  // namespace bridge::db
