// A socket and an encoder made of strings, and a hub over them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "hub/feed.hpp"
#include "hub/hub.hpp"

namespace bridge::hub::test {

struct FakeSink final : Sink {
    std::vector<std::string> writes;
    bool choked = false;
    bool broken = false;
    int writable_requests = 0;
    std::vector<Errc> closes;
    std::function<void()> on_write = [] {};

    Write write(std::string_view bytes) override {
        if (broken) return Write::failed;
        if (choked) return Write::choked;
        writes.emplace_back(bytes);
        on_write();
        return Write::taken;
    }
    void request_writable() override { ++writable_requests; }
    void close(Errc why) override { closes.push_back(why); }

    std::string all() const {
        std::string out;
        for (const std::string &bytes : writes) out += bytes;
        return out;
    }
    std::string take() {
        std::string out = all();
        writes.clear();
        return out;
    }
};

// `<name payload>`; native frames name the room too, other namespaces are in front.
struct FakeEncoder : Encoder {
    int encoded = 0;
    bool with_cursor = false;

    FramePtr encode(Protocol protocol, std::string_view nsp, const Event &event, std::string_view cursor, std::string_view room) override {
        ++encoded;
        std::string out = "<";
        if (nsp != "/") out.append(nsp).append(" ");
        out.append(event.name.substr(1, event.name.size() - 2)).append(" ").append(event.payload);
        if (protocol == Protocol::native) out.append(" in ").append(room);
        if (with_cursor) out.append(" @").append(cursor);
        return make_frame(out + ">");
    }
    bool names_room(Protocol protocol) const override { return protocol == Protocol::native; }
};

struct Client {
    std::unique_ptr<FakeSink> sink = std::make_unique<FakeSink>();
    ConnectionId connection;
    SessionId session;
    PublicId key;
};

struct World {
    FakeEncoder encoder;
    FakeClock clock;
    FakeRng rng;
    Metrics metrics{"test", "test"};
    Hub hub;
    std::uint64_t position = 0;

    explicit World(HubOptions options = {}) : hub(options, encoder, clock, metrics) { hub.set_epoch("00000000000000e1"); }

    Client client(Protocol protocol = Protocol::socketio, std::string_view nsp = "/") {
        Client made;
        made.connection = hub.open(*made.sink);
        made.key = rng.id();
        made.session = add_session(made.connection, made.key, protocol, nsp);
        return made;
    }
    SessionId add_session(ConnectionId connection, PublicId key, Protocol protocol = Protocol::socketio, std::string_view nsp = "/") {
        return hub.add_session(connection, {protocol, nsp, key, rng.id(), std::make_shared<const Claims>()});
    }
    // An event at the next position.
    void deliver(const std::string &rooms, const std::string &name, const std::string &payload = "1", const std::string &headers = "{}") {
        Event event;
        event.position = Position{++position};
        event.rooms = rooms;
        const std::string literal = "\"" + name + "\"";
        event.name = literal;
        event.headers = headers;
        event.payload = payload;
        hub.deliver(event);
        hub.advance(event.position);
    }
    std::string flushed(Client &to) {
        hub.flush();
        return to.sink->take();
    }
};

}  // namespace bridge::hub::test
