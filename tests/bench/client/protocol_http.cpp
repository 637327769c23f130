// The protocols over HTTP: event streams, long-polls, and Engine.IO's polling. One connection a client.
#include "client/protocol.hpp"

#include <algorithm>
#include <charconv>

namespace bench {

namespace {

class Sse final : public Protocol {
public:
    using Protocol::Protocol;

    std::string hello(Socket &socket) override {
        return get(socket, options_.path.empty() ? "/sse?room=bench" : options_.path, "Accept: text/event-stream\r\n");
    }

    // Ready with the first block behind the head: every server here sends one at once.
    size_t received(Socket &socket, std::string_view bytes) override {
        const std::string_view all = bytes;
        if (socket.step == 0) {
            const size_t end = bytes.find("\r\n\r\n");
            if (end == std::string_view::npos) return 0;
            if (!bytes.starts_with("HTTP/1.1 200")) {
                fleet_.fail(socket, "stream: " + std::string(bytes.substr(0, bytes.find('\r'))));
                return all.size();
            }
            socket.step = 1;
            bytes.remove_prefix(end + 4);
        }
        for (size_t end; (end = bytes.find("\n\n")) != std::string_view::npos && socket.fd >= 0; bytes.remove_prefix(end + 2)) {
            const std::string_view block = bytes.substr(0, end);
            if (block.find("\"seq\":") != std::string_view::npos) {
                fleet_.delivered(socket, block);
            } else {
                fleet_.entered(socket);
            }
        }
        return all.size() - bytes.size();
    }
};

// Answers with a length, one after the other on one connection.
class Requests : public Protocol {
public:
    using Protocol::Protocol;

    size_t received(Socket &socket, std::string_view bytes) override {
        const std::string_view all = bytes;
        while (!bytes.empty() && socket.fd >= 0) {
            const size_t end = bytes.find("\r\n\r\n");
            if (end == std::string_view::npos) break;
            const std::string_view head = bytes.substr(0, end + 2);
            size_t length = 0;
            if (const std::string_view value = header(head, "ontent-Length"); !value.empty())
                std::from_chars(value.data(), value.data() + value.size(), length);
            if (bytes.size() < end + 4 + length) break;
            const std::string_view body = bytes.substr(end + 4, length);
            if (head.starts_with("HTTP/1.1 2")) {
                answered(socket, head, body);
            } else {
                fleet_.fail(socket, std::string(head.substr(0, head.find('\r'))) + " " + std::string(body.substr(0, 60)));
            }
            bytes.remove_prefix(end + 4 + length);
        }
        return all.size() - bytes.size();
    }

protected:
    virtual void answered(Socket &socket, std::string_view head, std::string_view body) = 0;

    static std::string_view header(std::string_view head, std::string_view name) {
        const size_t at = head.find(std::string(name) + ": ");
        if (at == std::string_view::npos) return {};
        const size_t from = at + name.size() + 2;
        return head.substr(from, head.find('\r', from) - from);
    }
};

// pulse's long-poll. Ready when the first answer has given a cursor and the poll with it is on its way.
class Poll final : public Requests {
public:
    using Requests::Requests;

    std::string hello(Socket &socket) override { return get(socket, target(), ""); }

protected:
    void answered(Socket &socket, std::string_view head, std::string_view body) override {
        constexpr std::string_view kEvent = "{\"event\":";
        for (size_t at = body.find(kEvent); at != std::string_view::npos;) {
            const size_t next = body.find(kEvent, at + kEvent.size());
            fleet_.delivered(socket, body.substr(at, next == std::string_view::npos ? next : next - at));
            at = next;
        }
        std::string_view cursor = header(head, "Pulse-Cursor");
        if (cursor.empty()) cursor = member(body, "\"cursor\"");
        fleet_.send(socket, get(socket, target() + "&timeout=60&cursor=" + std::string(cursor), ""));
        fleet_.entered(socket);
    }

private:
    std::string target() const { return options_.path.empty() ? "/poll?room=bench" : options_.path; }
};

// A Socket.IO session by polling: GET open, POST CONNECT, GET its answer, then a GET that waits.
class Polling final : public Requests {
public:
    using Requests::Requests;

    std::string hello(Socket &socket) override { return get(socket, kPath, ""); }

protected:
    bool token_in_header() const override { return false; }  // it goes into CONNECT

    void answered(Socket &socket, std::string_view, std::string_view body) override {
        switch (socket.step++) {
            case 0: {
                socket.sid = member(body, "\"sid\"");
                const std::string connect = socket.token.empty() ? "40" : "40{\"token\":\"" + socket.token + "\"}";
                return fleet_.send(socket, "POST " + path(socket) +
                                               " HTTP/1.1\r\nHost: bench\r\nContent-Type: text/plain\r\nContent-Length: " +
                                               std::to_string(connect.size()) + "\r\n\r\n" + connect);
            }
            case 1: break;
            default:
                if (body.find("44{") != std::string_view::npos) return fleet_.fail(socket, "refused: " + std::string(body.substr(0, 200)));
                for (size_t at = 0; at < body.size();) {  // packets are separated by 0x1e
                    const size_t end = std::min(body.find('\x1e', at), body.size());
                    const std::string_view packet = body.substr(at, end - at);
                    if (packet.starts_with("42")) fleet_.delivered(socket, packet);
                    at = end + 1;
                }
                fleet_.send(socket, get(socket, path(socket), ""));
                return fleet_.entered(socket);
        }
        fleet_.send(socket, get(socket, path(socket), ""));
    }

private:
    static constexpr const char *kPath = "/socket.io/?EIO=4&transport=polling";
    static std::string path(const Socket &socket) { return kPath + ("&sid=" + socket.sid); }
};

// One request that the server keeps: what it costs to be waited upon. Nothing says that it has arrived, so it counts at once.
class Parked final : public Requests {
public:
    using Requests::Requests;

    std::string hello(Socket &socket) override {
        std::string request = get(socket, options_.path, "");
        fleet_.entered(socket);
        return request;
    }

protected:
    void answered(Socket &socket, std::string_view, std::string_view body) override { fleet_.delivered(socket, body); }
};

}  // namespace

std::unique_ptr<Protocol> make_http_protocol(const std::string &name, Fleet &fleet) {
    if (name == "sse") return std::make_unique<Sse>(fleet);
    if (name == "poll") return std::make_unique<Poll>(fleet);
    if (name == "polling") return std::make_unique<Polling>(fleet);
    if (name == "parked") return std::make_unique<Parked>(fleet);
    return nullptr;
}

}  // namespace bench
