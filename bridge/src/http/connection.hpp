// One connection while it speaks HTTP. Made and owned by Connections; the rest of the bridge sees it as an Exchange.
//
//   head ──head read, body announced──▶ body ──▶ waiting ──answered──▶ head …
//     └──────head read, no body──────────────────▲  └──detached, closed──▶ gone
#pragma once

#include <http_parser.h>

#include <string>
#include <string_view>

#include "base/alive.hpp"
#include "http/body.hpp"
#include "http/connections.hpp"

namespace bridge::http {

class Connection final : public net::Stream::User, public Exchange {
public:
    Connection(Connections &all, net::StreamPtr stream);
    ~Connection() override = default;
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    // net::Stream::User
    void received(std::string_view bytes) override;
    void writable() override;
    void ended() override;

    // Exchange
    Request &request() override { return request_; }
    bool internal() const override { return stream_->internal(); }
    void watch(Watcher &watcher) override { watcher_ = &watcher; }
    void unwatch() override { watcher_ = nullptr; }
    void respond(Reply reply) override;
    net::StreamPtr detach(std::string &received) override;

private:
    friend class Connections;
    enum class Phase : std::uint8_t { head, body, waiting, answered };
    enum class Lasts : bool { yes, no };  // is this object still there?

    // What http_parser tells, inside parse_head(). A negative result stops it.
    static const http_parser_settings &settings();
    int url(std::string_view piece);
    int header_name(std::string_view piece);
    int header_value(std::string_view piece);
    int headers_complete();
    bool counts(std::size_t bytes);

    void parse(std::string_view bytes);
    bool parse_head();  // false: rejected
    bool parse_body();
    void parse_kept();
    Lasts head_read();
    Lasts request_read();
    Lasts call(void (Connection::*step)());
    void give_to_service() { all_.service_.request(*this); }
    void give_to_watcher();
    void keep(std::string_view bytes);
    int reject(int status, std::string_view message);
    void next_request();
    void give_up();
    bool idle(std::int64_t now) const;  // nobody waits for anything, and a request is not just on its way

    void arm(std::int64_t after);
    void too_late();

    struct Deadline : loop::Wheel::Entry {
        explicit Deadline(Connection &owner);
        Connection &owner;
    };

    Connections &all_;
    Connection *next_ = nullptr, *previous_ = nullptr;  // of all_
    net::StreamPtr stream_;
    Watcher *watcher_ = nullptr;
    Alive alive_;
    http_parser parser_{};
    BodyReader body_;
    Request request_;
    std::string target_;
    std::string kept_;              // came behind the request that is being answered
    std::string unsent_;            // an answer that the stream does not take yet
    std::string_view unparsed_;     // within parse()
    std::size_t header_bytes_ = 0;  // of this request
    Phase phase_ = Phase::head;
    bool parsing_ = false;
    bool fresh_ = true;      // there was no request yet
    bool begun_ = false;     // something of this request has come
    bool in_value_ = false;  // of a header
    char last_byte_ = 0;     // of the head
    bool expects_100_ = false;
    bool closes_ = false;     // once unsent_ is out
    int refused_status_ = 0;  // why the parser was stopped
    std::string_view refused_with_;
    Deadline deadline_;
};

}  // namespace bridge::http
