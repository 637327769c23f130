// A client's world without sockets and without SQL: questions are kept until the test answers them, time stands still until stepped.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "app/encoder.hpp"
#include "base/json.hpp"
#include "handlers/client.hpp"
#include "handlers/system_events.hpp"

namespace bridge::handlers::test {

inline constexpr std::string_view kSecret = "a secret that is long enough for HS256";
inline constexpr std::string_view kEpoch = "9f3c01ab5577de20";

struct FakeQueries final : db::Queries {
    template <class T>
    struct Asked {
        std::string what, context;
        Then<T> then;
    };
    struct AskedDecision {
        std::string what;
        db::DecideRequest request;
        Then<db::Decision> then;
    };
    std::deque<Asked<db::ConnectAnswer>> connects;
    std::deque<Asked<db::RefreshAnswer>> refreshes;
    std::deque<AskedDecision> decisions;
    std::deque<std::pair<db::HandleRequest, Then<db::HandleAnswer>>> handles;
    std::deque<std::pair<db::RequestCall, std::function<void(db::RequestAnswer)>>> requests;
    std::deque<std::pair<db::AnswerRequest, Then<db::HandleAnswer>>> answers;
    std::deque<std::pair<std::string, Then<std::string>>> bookkeeping;
    bool is_up = true;
    std::deque<Then<std::vector<db::Revocation>>> revocation_lists;

    void connect(std::string nsp, std::string context, Trace, Then<db::ConnectAnswer> then) override {
        connects.push_back({std::move(nsp), std::move(context), std::move(then)});
    }
    void refresh(std::string nsp, std::string context, Trace, Then<db::RefreshAnswer> then) override {
        refreshes.push_back({std::move(nsp), std::move(context), std::move(then)});
    }
    void handle(db::HandleRequest request, Then<db::HandleAnswer> then) override {
        handles.emplace_back(std::move(request), std::move(then));
    }
    void answer(db::AnswerRequest request, Then<db::HandleAnswer> then) override {
        answers.emplace_back(std::move(request), std::move(then));
    }
    void decide(db::DecideRequest request, Then<db::Decision> then) override {
        decisions.push_back({request.room, request, std::move(then)});
    }
    void sessions(std::string, std::string changes, Then<std::string> then) override {
        bookkeeping.emplace_back(std::move(changes), std::move(then));
    }
    void revocations(Then<std::vector<db::Revocation>> then) override { revocation_lists.push_back(std::move(then)); }
    void status(Then<std::string>) override {}
    void queues(Then<std::string>) override {}
    void request(db::RequestCall call, std::function<void(db::RequestAnswer)> then) override {
        requests.emplace_back(std::move(call), std::move(then));
    }
    bool up() const override { return is_up; }
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

struct FakeHistory final : hub::History::Source {
    struct Asked {
        std::vector<std::string> rooms;
        Position after, up_to;
    };
    std::vector<Asked> asked;
    void history(std::vector<std::string> rooms, Position after, Position up_to, int) override {
        asked.push_back({std::move(rooms), after, up_to});
    }
};

inline HandlerOptions without_recovery() {
    HandlerOptions options;
    options.recovery = false;
    return options;
}

struct World {
    FakeClock clock;
    FakeRng rng;
    Metrics metrics{"test", "test"};
    app::FrameEncoder encoder;
    hub::Hub hub{hub::HubOptions{}, encoder, clock, metrics};
    FakeHistory log;
    hub::History history{hub, log, metrics};
    FakeQueries queries;
    auth::Verifier verifier{auth::VerifyOptions{}, clock};
    FakeDeadlines deadlines;
    Bookkeeper bookkeeper{queries, deadlines, rng.id()};
    Leases leases{bookkeeper, deadlines};
    Revocations revocations{clock};
    Services services;
    SystemEvents system_events;

    explicit World(HandlerOptions options = without_recovery())
        : encoder(options.recovery), services{hub,       history, queries, bookkeeper, leases,  revocations, verifier,
                                              deadlines, clock,   rng,     metrics,    options, {},          {}},
          system_events(services) {
        EXPECT_TRUE(verifier.add_secret(kSecret));
        hub.set_epoch(kEpoch);
    }

    std::string token(std::string_view user, std::chrono::seconds lives = std::chrono::hours(1)) {
        const auto exp = std::chrono::duration_cast<std::chrono::seconds>(clock.wall().time_since_epoch()) + lives;
        return *auth::mint(R"({"userId":")" + std::string(user) + R"(","exp":)" + std::to_string(exp.count()) + "}", kSecret);
    }
    void advance(std::int64_t ms) {
        clock.advance(std::chrono::milliseconds(ms));
        deadlines.advance(ms);
    }
    // An event of the log goes by.
    void event(std::uint64_t position, std::string_view room, std::string_view payload, std::string_view name = R"("e")") {
        const std::string rooms = "[" + json::quote(room) + "]";
        hub.deliver({Position{position}, position, rooms, name, "{}", payload, {}});
        hub.advance(Position{position});
    }
    // The database takes what the bookkeeper has, and what it has by then; gives all of it.
    std::string store() {
        std::string all;
        while (!queries.bookkeeping.empty()) {
            auto [changes, then] = std::move(queries.bookkeeping.front());
            queries.bookkeeping.pop_front();
            all += changes;
            then(std::string());
        }
        return all;
    }
    static db::ConnectAnswer allowed(const std::vector<std::string> &rooms, std::uint64_t position = 0) {
        db::ConnectAnswer answer;
        answer.position = Cursor{std::string(kEpoch), Position{position}};
        for (const std::string &room : rooms) answer.rooms.push_back({room, Position{position}});
        return answer;
    }
    static db::Decision decision(bool yes, std::uint64_t position = 0) {
        db::Decision decision;
        decision.allowed = yes;
        decision.reason = "because";
        decision.position = Cursor{std::string(kEpoch), Position{position}};
        return decision;
    }
    static db::Decision may_recover(std::uint64_t position, std::uint64_t since) {
        db::Decision yes = decision(true, position);
        yes.recovered = true;
        yes.since = Position{since};
        return yes;
    }
    static db::Decision not_recovered(std::uint64_t position, std::string reason) {
        db::Decision yes = decision(true, position);
        yes.must_refetch = std::move(reason);
        return yes;
    }
    static std::string at(std::uint64_t position) { return std::string(kEpoch) + ":" + std::to_string(position); }
    static db::HandleAnswer handled(std::string ack, std::string effects = "[]") {
        return {std::move(ack), std::move(effects), Cursor{std::string(kEpoch), Position{}}};
    }
};

// One connection: what it is sent, as the payloads of its WebSocket frames.
struct Caller {
    explicit Caller(World &w, Protocol protocol = Protocol::socketio, std::string token = {}, std::string traceparent = {})
        : world(w), client(w.services, protocol, Peer{"10.0.0.1", std::move(token), std::move(traceparent), "", ""}) {
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
