// See query_pool.hpp. Jobs leave the queue in the order they came; connections that are least busy get them first.
#include "db/query_pool.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace bridge::db {

using std::chrono::steady_clock;

QueryPool::QueryPool(loop::Loop &loop, Rng &rng, Options options) : loop_(loop), options_(std::move(options)), expiry_(loop.timer()) {
    for (int n = 0; n < options_.size; ++n) {
        ConnectionOptions connection;
        connection.conninfo = options_.conninfo;
        connection.application_name = "pulse-bridge " + options_.name;
        connection.pipeline = options_.depth > 1;
        connection.prepare = options_.prepare;
        connection.statement_timeout = options_.statement_timeout;
        auto was_up = std::make_shared<bool>(false);
        Connection::Callbacks callbacks;
        callbacks.on_up = [this, was_up] {
            *was_up = true;
            failure_.clear();
            ++up_;
            if (up_ == 1) log::info("database connections are up", {{"pool", options_.name}});
            dispatch();
        };
        callbacks.on_down = [this, was_up](const std::string &why) {
            failure_ = why;
            if (std::exchange(*was_up, false)) {
                --up_;
                log::warn("database connection lost", {{"pool", options_.name}, {"reason", why}, {"left", up_}});
            } else {
                log::debug("database connection failed", {{"pool", options_.name}, {"reason", why}});
            }
        };
        connections_.push_back(std::make_unique<Connection>(loop, rng, std::move(connection), std::move(callbacks)));
    }
}

QueryPool::~QueryPool() = default;

void QueryPool::start() {
    stopped_ = false;
    for (auto &connection : connections_) connection->open();
    expiry_->every(std::chrono::milliseconds(100), [this] { expire(); });
}

void QueryPool::stop() {
    stopped_ = true;
    expiry_->stop();
    auto jobs = std::exchange(waiting_, {});
    waiting_bytes_ = 0;
    up_ = 0;
    for (auto &connection : connections_) connection->close();
    for (auto &job : jobs) job.answer(refused("the bridge is stopping"));
}

void QueryPool::run(const Query &query, std::vector<Parameter> parameters, std::chrono::milliseconds patience_down, OnAnswer answer) {
    std::size_t bytes = 0;
    for (const Parameter &parameter : parameters) bytes += parameter.text ? parameter.text->size() : 0;
    if (stopped_ || waiting_.size() >= options_.max_waiting || waiting_bytes_ + bytes > options_.max_waiting_bytes) {
        answer_later(std::move(answer), refused(stopped_ ? "the bridge is stopping" : "too many statements are waiting"));
        return;
    }
    waiting_bytes_ += bytes;
    waiting_.push_back(Job{&query, std::move(parameters), std::move(answer), steady_clock::now(), patience_down, bytes});
    const bool outer = std::exchange(inside_run_, true);
    dispatch();
    inside_run_ = outer;
}

void QueryPool::answer_later(OnAnswer answer, SqlError error) {
    loop_.post([answer = std::move(answer), error = std::move(error)] { answer(error); });
}

void QueryPool::dispatch() {
    if (dispatching_ || stopped_) return;  // an answer that runs the next statement is served by the loop below
    dispatching_ = true;
    while (!waiting_.empty()) {
        Connection *best = nullptr;
        for (auto &connection : connections_) {
            if (!connection->up() || connection->in_flight() >= static_cast<std::size_t>(options_.depth)) continue;
            if (best == nullptr || connection->in_flight() < best->in_flight()) best = connection.get();
        }
        if (best == nullptr) break;
        Job job = std::move(waiting_.front());
        waiting_.pop_front();
        waiting_bytes_ -= job.bytes;
        best->run(*job.query, std::move(job.parameters), [this, answer = std::move(job.answer)](Answer result) {
            if (inside_run_ && std::holds_alternative<SqlError>(result)) {  // the connection broke while sending
                answer_later(answer, std::get<SqlError>(std::move(result)));
                return;
            }
            answer(std::move(result));
            dispatch();
        });
    }
    dispatching_ = false;
}

void QueryPool::expire() {
    const auto now = steady_clock::now();
    const auto expired = [&](const Job &job) { return now - job.since >= (up_ > 0 ? options_.patience_up : job.patience_down); };
    if (std::none_of(waiting_.begin(), waiting_.end(), expired)) return;
    std::deque<Job> kept;
    std::vector<OnAnswer> late;
    for (Job &job : waiting_) {
        if (expired(job)) {
            waiting_bytes_ -= job.bytes;
            late.push_back(std::move(job.answer));
        } else {
            kept.push_back(std::move(job));
        }
    }
    waiting_ = std::move(kept);
    for (auto &answer : late) answer(refused("no database connection was free in time"));
}

}  // namespace bridge::db
