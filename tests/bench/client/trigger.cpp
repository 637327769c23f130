// The two triggers, see trigger.hpp.
#include "client/trigger.hpp"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>

namespace bench {

namespace {

class PgTrigger : public Trigger, public Ready {
public:
    PgTrigger(const std::string &conninfo, std::string room, std::string event, Poller &poller)
        : poller_(poller), room_(std::move(room)), event_(std::move(event)), pg_(PQconnectdb(conninfo.c_str())) {
        if (PQstatus(pg_) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(pg_));
        PGresult *result = PQprepare(pg_, "publish", "SELECT pulse.publish($1::text, $2::text, $3::json)", 3, nullptr);
        const bool prepared = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
        if (!prepared || PQsetnonblocking(pg_, 1) != 0 || PQenterPipelineMode(pg_) != 1) throw std::runtime_error(PQerrorMessage(pg_));
        poller_.add(PQsocket(pg_), EPOLLIN, *this);
    }
    ~PgTrigger() override {
        poller_.remove(PQsocket(pg_));
        PQfinish(pg_);
    }

    void publish(const std::string &payload) override {
        const char *values[3] = {room_.c_str(), event_.c_str(), payload.c_str()};
        if (PQsendQueryPrepared(pg_, "publish", 3, values, nullptr, nullptr, 0) != 1 || PQpipelineSync(pg_) != 1)
            error_ = PQerrorMessage(pg_);
    }
    void flush() override {
        if (PQflush(pg_) < 0) error_ = PQerrorMessage(pg_);
    }
    std::string error() const override { return error_; }

    void on_ready(uint32_t) override {
        if (PQconsumeInput(pg_) != 1) {
            error_ = PQerrorMessage(pg_);
            return;
        }
        // In pipeline mode each query gives its result, then a null, then the sync's own result.
        while (!PQisBusy(pg_)) {
            PGresult *result = PQgetResult(pg_);
            if (!result) {
                result = PQgetResult(pg_);
                if (!result) return;
            }
            if (PQresultStatus(result) == PGRES_FATAL_ERROR) error_ = PQresultErrorMessage(result);
            PQclear(result);
        }
    }

private:
    Poller &poller_;
    std::string room_, event_, error_;
    PGconn *pg_;
};

class LineTrigger : public Trigger {
public:
    explicit LineTrigger(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
            throw std::runtime_error("no control connection on port " + std::to_string(port));
        const int one = 1;
        setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    ~LineTrigger() override { ::close(fd_); }

    void publish(const std::string &payload) override { lines_ += payload + "\n"; }
    void flush() override {
        if (!lines_.empty() && ::send(fd_, lines_.data(), lines_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(lines_.size()))
            error_ = "the peer does not read its control connection";
        lines_.clear();
    }
    std::string error() const override { return error_; }

private:
    int fd_;
    std::string lines_, error_;
};

}  // namespace

std::unique_ptr<Trigger> make_trigger(const std::string &where, const std::string &room, const std::string &event, Poller &poller) {
    if (where.starts_with("pg:")) return std::make_unique<PgTrigger>(where.substr(3), room, event, poller);
    if (where.starts_with("tcp:")) return std::make_unique<LineTrigger>(std::stoi(where.substr(4)));
    throw std::runtime_error("a trigger is pg:<conninfo> or tcp:<port>, not " + where);
}

}  // namespace bench
