// The triggers, see trigger.hpp.
#include "client/trigger.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <functional>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>

namespace bench {

namespace {

class PgConnection : public Ready {
public:
    PgConnection(const std::string &conninfo, std::string event, Poller &poller)
        : poller_(poller), event_(std::move(event)), pg_(PQconnectdb(conninfo.c_str())) {
        if (PQstatus(pg_) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(pg_));
        PGresult *result = PQprepare(pg_, "publish", "SELECT pulse.publish($1::text, $2::text, $3::json)", 3, nullptr);
        const bool prepared = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
        if (!prepared || PQsetnonblocking(pg_, 1) != 0 || PQenterPipelineMode(pg_) != 1) throw std::runtime_error(PQerrorMessage(pg_));
        poller_.add(PQsocket(pg_), EPOLLIN, *this);
    }
    ~PgConnection() override {
        poller_.remove(PQsocket(pg_));
        PQfinish(pg_);
    }

    void publish(const std::string &room, const std::string &payload) {
        const char *values[3] = {room.c_str(), event_.c_str(), payload.c_str()};
        if (PQsendQueryPrepared(pg_, "publish", 3, values, nullptr, nullptr, 0) != 1 || PQpipelineSync(pg_) != 1)
            error_ = PQerrorMessage(pg_);
    }
    void flush() {
        if (PQflush(pg_) < 0) error_ = PQerrorMessage(pg_);
    }
    const std::string &error() const { return error_; }

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
    std::string event_, error_;
    PGconn *pg_;
};

// Several connections, as an application has them: what goes to one room goes by one connection, so it stays in order.
class PgTrigger final : public Trigger {
public:
    PgTrigger(const std::string &conninfo, const std::string &event, Poller &poller) {
        for (auto &connection : connections_) connection = std::make_unique<PgConnection>(conninfo, event, poller);
    }
    void publish(const std::string &room, const std::string &payload) override {
        connections_[std::hash<std::string>()(room) % connections_.size()]->publish(room, payload);
    }
    void flush() override {
        for (auto &connection : connections_) connection->flush();
    }
    std::string error() const override {
        for (const auto &connection : connections_)
            if (!connection->error().empty()) return connection->error();
        return {};
    }

private:
    std::array<std::unique_ptr<PgConnection>, 8> connections_;
};

// A connection to a port of this machine on which bytes are only written, or answers dropped.
class SocketTrigger : public Trigger, public Ready {
public:
    SocketTrigger(int port, Poller &poller) : poller_(poller), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
            throw std::runtime_error("no control connection on port " + std::to_string(port));
        const int one = 1;
        setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        poller_.add(fd_, EPOLLIN, *this);
    }
    ~SocketTrigger() override {
        poller_.remove(fd_);
        ::close(fd_);
    }

    void flush() override {
        if (!bytes_.empty() && ::send(fd_, bytes_.data(), bytes_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes_.size()))
            error_ = "the server does not read its control connection";
        bytes_.clear();
    }
    std::string error() const override { return error_; }

    void on_ready(uint32_t) override {
        char answers[16'384];
        const ssize_t got = ::recv(fd_, answers, sizeof answers, MSG_DONTWAIT);
        if (got > 0 || (got < 0 && errno == EAGAIN)) return;
        error_ = "the server closed its control connection";
        poller_.remove(fd_);
    }

protected:
    std::string bytes_, error_;

private:
    Poller &poller_;
    int fd_;
};

class LineTrigger final : public SocketTrigger {
public:
    using SocketTrigger::SocketTrigger;
    void publish(const std::string &room, const std::string &payload) override { bytes_ += room + "\t" + payload + "\n"; }
};

class PostTrigger final : public SocketTrigger {
public:
    using SocketTrigger::SocketTrigger;
    void publish(const std::string &room, const std::string &payload) override {
        bytes_ += "POST /pub?id=" + room +
                  " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(payload.size()) +
                  "\r\n\r\n" + payload;
    }
};

// What a dispatcher sends: what is there at one time goes into few notifications, each under 8,000 bytes (docs/reference/notify.md).
class NotifyTrigger final : public SocketTrigger {
public:
    NotifyTrigger(int port, std::string event, Poller &poller) : SocketTrigger(port, poller), event_(std::move(event)) {}

    void publish(const std::string &room, const std::string &payload) override {
        const std::string position = std::to_string(++last_);
        std::string line = "\n" + position + "\t" + position + "\t[\"" + room + "\"]\t\"" + event_ + "\"\t{}\t" + payload;
        if (lines_.size() + line.size() > kMostBytes) end_notification(last_ - 1);
        lines_ += line;
    }
    void flush() override {
        if (!lines_.empty()) end_notification(last_);
        SocketTrigger::flush();
    }

private:
    static constexpr size_t kMostBytes = 7'900;

    void end_notification(uint64_t last) {
        bytes_ +=
            "00000000000000be " + std::to_string(first_) + " " + std::to_string(last) + " " + std::to_string(++sequence_) + lines_ + '\0';
        lines_.clear();
        first_ = last + 1;
    }

    std::string event_, lines_;
    uint64_t first_ = 1, last_ = 0, sequence_ = 0;
};

}  // namespace

std::unique_ptr<Trigger> make_trigger(const std::string &where, const std::string &event, Poller &poller) {
    const std::string kind = where.substr(0, where.find(':')), rest = where.substr(std::min(where.size(), kind.size() + 1));
    if (kind == "pg") return std::make_unique<PgTrigger>(rest, event, poller);
    if (kind == "notify") return std::make_unique<NotifyTrigger>(std::stoi(rest), event, poller);
    if (kind == "tcp") return std::make_unique<LineTrigger>(std::stoi(rest), poller);
    if (kind == "post") return std::make_unique<PostTrigger>(std::stoi(rest), poller);
    throw std::runtime_error("a trigger is pg:<conninfo>, notify:<port>, tcp:<port> or post:<port>, not " + where);
}

}  // namespace bench
