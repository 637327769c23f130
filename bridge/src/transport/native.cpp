// See native.hpp.
#include "transport/native.hpp"

#include <algorithm>
#include <utility>

#include "codec/native.hpp"

namespace bridge::transport {

class Native::Socket final : public Session {
public:
    Socket(Native &native, handlers::Peer peer)
        : Session(native.services_, native.options_, Protocol::native, std::move(peer), "websocket"), native_(native) {}

    void open(std::list<Socket>::iterator place, net::StreamPtr stream, std::string answer, std::string_view received) {
        place_ = place;
        take(std::move(stream));
        id_ = services_.hub.open(*this);
        if (received.empty()) {
            services_.hub.send(id_, hub::make_frame(std::move(answer)));  // in one write with what else is said in this turn
        } else {
            stream_->write(answer);  // what came already may be answered past the hub
        }
        begin_heartbeat();
        client_.opened(id_);
        if (!received.empty()) socket_->received(received);
    }

private:
    void message(std::string_view text, bool binary) override {
        if (deaf_ || closing_) return;
        if (too_late()) return fail(Errc::ping_timeout);
        if (binary) return fail(Errc::protocol_error);
        auto inbound = codec::native::decode(text, {.max_payload = options_.max_payload});
        if (!inbound) return fail(inbound.error().code);
        client_.receive(std::move(*inbound));
    }
    const hub::FramePtr &ping_frame() const override {
        static const hub::FramePtr frame = hub::make_frame(std::string("\x89\0", 2));
        return frame;
    }
    void over() override { native_.sessions_.erase(place_); }

    Native &native_;
    std::list<Socket>::iterator place_;
};

Native::Native(handlers::Services &services, const SessionOptions &options, const http::Cors &cors)
    : services_(services), options_(options), cors_(cors) {}
Native::~Native() = default;

void Native::request(http::Exchange &exchange) {
    const http::Request &request = exchange.request();
    if (draining_) return exchange.respond(http::error_reply(Error{Errc::unavailable, "the server is shutting down", {}, 1}));
    if (!request.upgrade) {
        http::Reply reply = http::error_reply(426, "bad_request", "an upgrade to WebSocket is required");
        reply.headers.emplace_back("Upgrade", "websocket");
        return exchange.respond(std::move(reply));
    }
    if (auto reply = refuse_handshake(request)) return exchange.respond(std::move(*reply));
    if (!cors_.allows_socket(request)) return exchange.respond(http::error_reply(403, "forbidden", "this origin may not connect"));
    const auto offered = offered_subprotocols(request);  // none: somebody tries it by hand
    if (!offered.empty() && std::find(offered.begin(), offered.end(), codec::native::kSubprotocol) == offered.end()) {
        return exchange.respond(http::error_reply(400, "bad_request", "the subprotocol pulse.v1.json is required"));
    }

    std::string answer = handshake_answer(request, offered.empty() ? std::string_view{} : codec::native::kSubprotocol);
    handlers::Peer peer = peer_of(request);
    std::string received;
    net::StreamPtr stream = exchange.detach(received);
    const auto place = sessions_.emplace(sessions_.end(), *this, std::move(peer));
    place->open(place, std::move(stream), std::move(answer), received);
}

}  // namespace bridge::transport
