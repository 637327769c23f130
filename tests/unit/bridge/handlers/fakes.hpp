// A client's world without sockets and without SQL: questions are kept until the test answers them, time stands still until stepped.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "codec/outbound.hpp"
#include "handlers/client.hpp"

namespace bridge::handlers::test {

inline constexpr std::string_view kSecret = "a secret that is long enough for HS256";
inline constexpr std::string_view kEpoch = "9f3c01ab5577de20";

struct FakeQueries final : db::Queries {
    template <class T>
    struct Asked {
        std::string what, context;
        Then<T> then;
    };
    std::deque<Asked<db::ConnectAnswer>> connects;
    std::deque<Asked<db::Decision>> decisions;
    std::deque<std::pair<db::HandleRequest, Then<db::HandleAnswer>>> handles;

    void connect(std::string nsp, std::string context, std::string, Then<db::ConnectAnswer> then) override {
        connects.push_back({std::move(nsp), std::move(context), std::move(then)});
    }
    void handle(db::HandleRequest request, Then<db::HandleAnswer> then) override {
        handles.emplace_back(std::move(request), std::move(then));
    }
    void decide(std::string room, std::string context, Then<db::Decision> then) override {
        decisions.push_back({std::move(room), std::move(context), std::move(then)});
    }
    void status(Then<std::string>) override {}
};

struct FakeDeadlines final : loop::Deadlines {
    std::int64_t time = 1'000'000;
    loop::Wheel wheel{time};
    std::int64_t now() const override { return time; }
    void arm(loop::Wheel::Entry &entry, std::int64_t due) override { wheel.arm(entry, due); }
    void advance(std::int64_t ms) {
        time += ms;
        wheel.advance(time);
    }
};

struct FakeSink final : hub::Sink {
    std::string bytes;
    std::vector<Errc> closes;
    Write write(std::string_view more) override {
        bytes += more;
        return Write::taken;
    }
    void request_writable() override {}
    void close(Errc why) override { closes.push_back(why); }
};

struct Encoder final : hub::Encoder {
    hub::FramePtr encode(Protocol protocol, std::string_view nsp, const hub::Event &event, std::string_view cursor,
                         std::string_view room) override {
        codec::OutEvent out;
        out.nsp = nsp;
        out.name = event.name;
        out.args = event.payload;
        out.room = room;
        out.position = cursor;
        return hub::make_frame(codec::event_frame(protocol, out));
    }
    bool names_room(Protocol protocol) const override { return codec::frame_names_room(protocol); }
};

struct World {
    FakeClock clock;
    FakeRng rng;
    Metrics metrics{"test", "test"};
    Encoder encoder;
    hub::Hub hub{hub::HubOptions{}, encoder, clock, metrics};
    FakeQueries queries;
    auth::Verifier verifier{auth::VerifyOptions{}, clock};
    FakeDeadlines deadlines;
    Services services;

    explicit World(HandlerOptions options = {}) : services{hub, queries, verifier, deadlines, clock, rng, metrics, options, {}} {
        EXPECT_TRUE(verifier.add_secret(kSecret));
        hub.set_epoch(kEpoch);
    }

    std::string token(std::string_view user, std::chrono::seconds lives = std::chrono::hours(1)) {
        const auto exp = std::chrono::duration_cast<std::chrono::seconds>(clock.wall().time_since_epoch()) + lives;
        return *auth::mint_hs256(R"({"userId":")" + std::string(user) + R"(","exp":)" + std::to_string(exp.count()) + "}", kSecret);
    }
    void advance(std::int64_t ms) {
        clock.advance(std::chrono::milliseconds(ms));
        deadlines.advance(ms);
    }
    static db::ConnectAnswer allowed(std::vector<std::string> rooms, std::uint64_t position = 0) {
        return {std::move(rooms), Cursor{std::string(kEpoch), Position{position}}};
    }
    static db::Decision decision(bool yes, std::uint64_t position = 0) {
        return {yes, "because", Cursor{std::string(kEpoch), Position{position}}};
    }
    static db::HandleAnswer handled(std::string ack, std::string effects = "[]") {
        return {std::move(ack), std::move(effects), Cursor{std::string(kEpoch), Position{}}};
    }
};

// One connection: what it is sent, as the payloads of its WebSocket frames.
struct Caller {
    explicit Caller(World &w, Protocol protocol = Protocol::socketio, std::string token = {})
        : world(w), client(w.services, protocol, Peer{"10.0.0.1", std::move(token), ""}) {
        id = world.hub.open(sink);
        client.opened(id);
    }
    ~Caller() { hang_up(); }
    void hang_up() {
        if (gone) return;
        gone = true;
        client.closed("client_close");
        world.hub.closed(id);
    }

    void say(codec::Inbound::Kind kind, std::string nsp = "/", std::string payload = {}) {
        codec::Inbound packet;
        packet.kind = kind;
        packet.nsp = std::move(nsp);
        packet.payload = std::move(payload);
        client.receive(std::move(packet));
    }
    void connect(const std::string &token, std::string nsp = "/") {
        say(codec::Inbound::Kind::connect, std::move(nsp), R"({"token":")" + token + R"("})");
    }
    void emit(std::string event, std::string args = "[]", std::optional<std::string> ack = std::nullopt, std::string nsp = "/") {
        codec::Inbound packet;
        packet.event = std::move(event);
        packet.args = std::move(args);
        packet.id = std::move(ack);
        packet.nsp = std::move(nsp);
        client.receive(std::move(packet));
    }
    // Connected, with what was sent for it taken away.
    void settle(std::vector<std::string> rooms = {"all"}) {
        connect(world.token("u1"));
        world.queries.connects.front().then(World::allowed(std::move(rooms)));
        world.queries.connects.pop_front();
        take();
    }
    std::vector<std::string> take() {
        world.hub.flush();
        std::vector<std::string> out;
        std::string_view rest = sink.bytes;
        while (!rest.empty()) {
            std::size_t size = static_cast<unsigned char>(rest[1]), head = 2;
            if (size == 126) {
                size = static_cast<std::size_t>(static_cast<unsigned char>(rest[2])) << 8 | static_cast<unsigned char>(rest[3]);
                head = 4;
            }
            out.emplace_back(rest.substr(head, size));
            rest.remove_prefix(head + size);
        }
        sink.bytes.clear();
        return out;
    }
    std::string one() {
        const auto all = take();
        return all.size() == 1 ? all[0] : "(" + std::to_string(all.size()) + " frames)";
    }

    World &world;
    FakeSink sink;
    Client client;
    ConnectionId id;
    bool gone = false;
};

}  // namespace bridge::handlers::test
