// One Engine.IO session: it begins over polling or WebSocket, may move from one to the other once, and keeps its client, its heartbeat
// and a half received Socket.IO packet while it does.
//
//   open ──▶ polling ──2probe──▶ probed ──5──▶ websocket ──▶ closing ──▶ over
//     │         └──close──▶ dying: what is left and `1` for the next GET, kept for kDying ──▶ over
//     └──▶ websocket
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "codec/engineio.hpp"
#include "codec/socketio.hpp"
#include "transport/engineio.hpp"
#include "transport/polling.hpp"
#include "transport/session.hpp"

namespace bridge::transport {

class EngineioSession final : public Session, Polling::User {
public:
    static constexpr std::int64_t kDying = 30'000;    // ms
    static constexpr std::int64_t kProbing = 10'000;  // ms from the handshake of a probe to its `5`

    EngineioSession(Engineio &engineio, const PublicId &sid, Protocol protocol, handlers::Peer peer, std::string_view transport, bool echo);
    ~EngineioSession() override;

    void open(http::Exchange &exchange);
    void open(net::StreamPtr stream, std::string answer, std::string_view received);

    bool polls() const { return polling_ != nullptr; }
    bool echoes() const { return echo_; }
    bool expire(const http::Request &request);  // ends it when its heartbeat has failed: then true, and it is gone
    void polled(http::Exchange &exchange);

    bool may_upgrade() const { return polling_ && !probe_ && !dying_ && !closing_; }
    // A WebSocket whose handshake is answered. base64: it is to get no binary frames.
    void probe(net::StreamPtr stream, bool base64, std::string_view received);

    // hub::Sink, while it polls
    Write write(std::string_view frames) override;
    void request_writable() override;
    void close(Errc why) override;

private:
    struct Probe;

    void opened();
    void upgrade(std::unique_ptr<WebSocket> socket, bool base64);
    enum class Outcome { good, bad, closed };
    Outcome packet(codec::engineio::Packet packet);
    void echo(const codec::engineio::Packet &packet);
    void die();

    // WebSocket::User
    void message(std::string_view text, bool binary) override;
    // Polling::User
    void wanted() override;
    Taken posted(std::string_view body) override;
    void misused() override;
    void left() override;

    const hub::FramePtr &ping_frame() const override;
    void beat() override;
    void leave_hub() override;
    void over() override;

    Engineio &engineio_;
    PublicId sid_;
    bool echo_;
    bool dying_ = false;       // the client and the hub are told; only what is left is still to be fetched
    bool collecting_ = false;  // everything that the hub holds is taken, whether a GET waits or not
    codec::socketio::Decoder decoder_;
    std::unique_ptr<Polling> polling_;
    std::unique_ptr<Probe> probe_;
};

}  // namespace bridge::transport
