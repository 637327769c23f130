// The protocols over WebSocket: Socket.IO, the native one, and plain messages (as nchan sends them).
#include "client/protocol.hpp"
#include "client/wire.hpp"

#include <utility>

namespace bench {

namespace {

class WebSocket : public Protocol {
public:
    using Protocol::Protocol;

    std::string hello(Socket &socket) override {
        return get(
            socket, options_.path.empty() ? path() : options_.path,
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
                std::string(subprotocol()));
    }

    size_t received(Socket &socket, std::string_view bytes) override {
        const std::string_view all = bytes;
        if (socket.step == 0) {
            const size_t end = bytes.find("\r\n\r\n");
            if (end == std::string_view::npos) return 0;
            if (!bytes.starts_with("HTTP/1.1 101")) {
                fleet_.fail(socket, "upgrade: " + std::string(bytes.substr(0, bytes.find('\r'))));
                return all.size();
            }
            socket.step = 1;
            bytes.remove_prefix(end + 4);
            upgraded(socket);
        }
        while (!bytes.empty() && socket.fd >= 0) {
            Frame frame;
            const Parsed parsed = parse_server_frame(bytes, frame);
            if (parsed == Parsed::NeedMore) break;
            if (parsed == Parsed::Broken) {
                fleet_.fail(socket, "malformed frame");
                break;
            }
            bytes.remove_prefix(frame.size);
            took(socket, frame);
        }
        return all.size() - bytes.size();
    }

    void send_text(Socket &socket, std::string_view text) override {
        fleet_.send(socket, client_frame(Opcode::Text, text, fleet_.next_mask()));
    }

    void bye(Socket &socket) override {
        fleet_.send(socket, client_frame(Opcode::Close, std::string_view("\x03\xe8", 2), fleet_.next_mask()));
    }

protected:
    virtual const char *path() const = 0;
    virtual const char *subprotocol() const { return ""; }
    virtual void upgraded(Socket &) {}
    virtual void text(Socket &socket, std::string_view message) = 0;

    // Joins the next room that is wanted, or tells the fleet that all is done. Called first when the server has accepted.
    void join_next(Socket &socket) {
        if (socket.state != Socket::State::Opening) return;
        if (socket.joined == options_.rooms.size()) return fleet_.entered(socket);
        const uint16_t id = socket.joined++;
        join(socket, fleet_.expand(options_.rooms[id], socket.number), id);
    }
    virtual void join(Socket &, const std::string &, uint16_t) {}

private:
    void took(Socket &socket, const Frame &frame) {
        switch (frame.opcode) {
            case Opcode::Text:
            case Opcode::Continuation:
                if (frame.final && socket.fragments.empty()) return text(socket, frame.payload);
                socket.fragments += frame.payload;
                if (frame.final) text(socket, std::exchange(socket.fragments, {}));
                return;
            case Opcode::Ping: return fleet_.send(socket, client_frame(Opcode::Pong, frame.payload, fleet_.next_mask()));
            case Opcode::Close: {
                const auto at = [&](size_t i) { return static_cast<uint8_t>(frame.payload[i]); };
                const int code = frame.payload.size() >= 2 ? at(0) << 8 | at(1) : 1005;
                return fleet_.fail(socket, "close " + std::to_string(code));
            }
            default: return;  // binary attachments are not counted
        }
    }
};

class SocketIo final : public WebSocket {
public:
    explicit SocketIo(Fleet &fleet) : WebSocket(fleet), event_("42[\"" + options_.event + "\",") {}

protected:
    const char *path() const override { return "/socket.io/?EIO=4&transport=websocket"; }
    bool token_in_header() const override { return false; }  // stock clients send it in CONNECT

    void text(Socket &socket, std::string_view message) override {
        if (message.starts_with(event_)) return fleet_.delivered(socket, message);
        if (message == "2") {
            ++fleet_.counts().pings;
            return send_text(socket, "3");
        }
        if (message.starts_with("0{")) return send_text(socket, connect_packet(socket));
        if (message.starts_with("40")) return connected(socket, message);
        if (message.starts_with("44")) return fleet_.fail(socket, "refused: " + std::string(message.substr(2, 200)));
        if (message.starts_with("43")) {
            if (socket.state == Socket::State::Ready) {
                if (fleet_.on_ack) fleet_.on_ack(socket.number, message.substr(2));
                return;
            }
            if (message.find("\"error\"") != std::string_view::npos)
                return fleet_.fail(socket, "join refused: " + std::string(message.substr(2, 200)));
            return join_next(socket);
        }
        if (message.starts_with("41")) return fleet_.fail(socket, "disconnected by the server");
        if (message.starts_with("42")) ++fleet_.counts().other_events;
    }

    void join(Socket &socket, const std::string &room, uint16_t id) override {
        send_text(socket, "42" + std::to_string(id) + "[\"room:join\",{\"room\":\"" + room + "\"}]");
    }

private:
    std::string connect_packet(const Socket &socket) const {
        std::string members;
        if (!socket.pid.empty()) members = R"("pid":")" + socket.pid + R"(","offset":")" + socket.offset + "\",";
        if (!socket.token.empty()) members += R"("token":")" + socket.token + "\",";
        if (members.empty()) return "40";
        members.back() = '}';
        return "40{" + members;
    }

    void connected(Socket &socket, std::string_view message) {
        if (socket.state != Socket::State::Opening) return;
        if (options_.recover) {
            const std::string_view pid = member(message, "\"pid\"");
            if (!socket.pid.empty()) ++(pid == socket.pid ? fleet_.counts().recovered : fleet_.counts().fresh);
            socket.pid = pid;
        }
        join_next(socket);
    }

    const std::string event_;
};

class Native final : public WebSocket {
public:
    explicit Native(Fleet &fleet) : WebSocket(fleet), event_("{\"type\":\"event\",\"event\":\"" + options_.event + "\",") {}

protected:
    const char *path() const override { return "/ws"; }
    const char *subprotocol() const override { return "Sec-WebSocket-Protocol: pulse.v1.json\r\n"; }

    void text(Socket &socket, std::string_view message) override {
        if (message.starts_with(event_)) return fleet_.delivered(socket, message);
        if (message.starts_with("{\"type\":\"connected\"")) return join_next(socket);
        if (message.starts_with("{\"type\":\"ack\"")) {
            if (message.find("\"error\"") != std::string_view::npos)
                return fleet_.fail(socket, "join refused: " + std::string(message.substr(0, 200)));
            return join_next(socket);
        }
        if (message.starts_with("{\"type\":\"error\"")) return fleet_.fail(socket, "refused: " + std::string(message.substr(0, 200)));
        ++fleet_.counts().other_events;
    }

    void join(Socket &socket, const std::string &room, uint16_t id) override {
        send_text(socket, "{\"type\":\"join\",\"room\":\"" + room + "\",\"id\":" + std::to_string(id) + "}");
    }

private:
    const std::string event_;
};

class Plain final : public WebSocket {
public:
    using WebSocket::WebSocket;

protected:
    const char *path() const override { return "/"; }
    void upgraded(Socket &socket) override { fleet_.entered(socket); }
    void text(Socket &socket, std::string_view message) override { fleet_.delivered(socket, message); }
};

}  // namespace

std::unique_ptr<Protocol> make_websocket_protocol(const std::string &name, Fleet &fleet) {
    if (name == "socketio") return std::make_unique<SocketIo>(fleet);
    if (name == "native") return std::make_unique<Native>(fleet);
    if (name == "websocket") return std::make_unique<Plain>(fleet);
    return nullptr;
}

}  // namespace bench
