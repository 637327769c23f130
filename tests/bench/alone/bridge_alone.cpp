// bridge_alone: pulse-bridge without PostgreSQL. The bridge's own libraries, wired as app/app.cpp wires them; what SQL would answer is
// stubbed (every connect is accepted into the rooms of the token's claim `rooms`, every join is allowed), tokens are verified, and
// events come as ready NOTIFY payloads on a control connection. So what is measured is the bridge, and nothing that waits for a disk.
// Started by tests/bench/run: bridge_alone PORT CONTROL_PORT SECRET; prints `ready`.
#include <malloc.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <utility>
#include <vector>

#include "app/encoder.hpp"
#include "auth/jwt.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "control.hpp"
#include "handlers/client.hpp"
#include "handlers/services.hpp"
#include "handlers/system_events.hpp"
#include "hub/feed.hpp"
#include "loop/wheel.hpp"
#include "transport/server.hpp"

namespace bench {
namespace {

using namespace bridge;

constexpr const char *kEpoch = "00000000000000be";

// What SQL would say: yes, at the position that the feed has reached. Answers come at the end of the turn, as the contract of Queries
// wants it: never inside the call.
class Yes final : public db::Queries {
public:
    explicit Yes(std::function<Cursor()> position) : position_(std::move(position)) {}

    void answer_all() {
        while (!answers_.empty()) {
            const auto due = std::exchange(answers_, {});
            for (const auto &answer : due) answer();
        }
    }

    void connect(std::string, std::string context, Trace, Then<db::ConnectAnswer> then) override {
        db::ConnectAnswer answer;
        answer.position = position_();
        for (std::string &room : rooms_of(context)) answer.rooms.push_back({std::move(room), answer.position.position});
        say(std::move(then), std::move(answer));
    }
    void decide(db::DecideRequest request, Then<db::Decision> then) override {
        db::Decision decision;
        decision.allowed = true;
        decision.position = position_();
        if (const auto since = Cursor::parse(request.since)) {  // a poll goes on: nothing of the log is gone
            decision.recovered = true;
            decision.since = since->position;
        }
        say(std::move(then), std::move(decision));
    }
    void refresh(std::string, std::string, Trace, Then<db::RefreshAnswer> then) override {
        say(std::move(then), db::RefreshAnswer{{}, {}, position_()});
    }
    void handle(db::HandleRequest, Then<db::HandleAnswer> then) override {
        say(std::move(then), db::HandleAnswer{"[]", "[]", position_()});
    }
    bool up() const override { return true; }
    void request(db::RequestCall, std::function<void(db::RequestAnswer)> then) override {
        answers_.emplace_back([then = std::move(then)] { then(Error{Errc::not_found, "the bench registers no stream"}); });
    }
    void answer(db::AnswerRequest, Then<db::HandleAnswer> then) override { say(std::move(then), db::HandleAnswer{"", "[]", position_()}); }
    void sessions(std::string, std::string, Then<std::string> then) override { say(std::move(then), std::string()); }
    void revocations(Then<std::vector<db::Revocation>> then) override { say(std::move(then), std::vector<db::Revocation>()); }
    void status(Then<std::string> then) override { say(std::move(then), std::string("{}")); }
    void queues(Then<std::string> then) override { say(std::move(then), std::string("[]")); }

private:
    // Of the claims, as the load client writes them: found, not parsed, since SQL does that elsewhere.
    static std::vector<std::string> rooms_of(std::string_view context) {
        constexpr std::string_view kRooms = "\"rooms\":";
        const std::size_t at = context.find(kRooms);
        if (at == std::string_view::npos) return {};
        const std::string_view list = context.substr(at + kRooms.size());
        std::vector<std::string> found;
        if (const auto elements = json::elements(list.substr(0, list.find(']') + 1))) {
            for (const std::string_view element : *elements)
                if (auto room = json::unquote(element)) found.push_back(std::move(*room));
        }
        return found;
    }

    template <class T>
    void say(Then<T> then, T answer) {
        answers_.emplace_back([then = std::move(then), answer = std::move(answer)] { then(answer); });
    }

    std::function<Cursor()> position_;
    std::vector<std::function<void()>> answers_;
};

// There is no log to read from: a gap in what is fed is a mistake of the bench.
struct NoLog final : hub::Feed::Source, hub::History::Source {
    void read(Position, Position) override { std::abort(); }
    void restart() override { std::abort(); }
    void history(std::vector<std::string>, Position, Position, int) override { std::abort(); }
};

auth::Verifier make_verifier(const std::string &secret, const Clock &clock) {
    auth::Verifier verifier({}, clock);
    if (!verifier.add_secret(secret)) throw std::runtime_error("the secret is too short");
    return verifier;
}

transport::ServerOptions server_options(std::uint16_t port) {
    transport::ServerOptions options;
    options.port = port;
    options.internal_port = 0;
    options.session.ping_interval = 300'000;
    options.sse.ping_interval = 300'000;
    return options;
}

// As App::Parts: made from top to bottom.
struct Parts {
    Parts(std::uint16_t port, std::uint16_t control_port, const std::string &secret)
        : metrics("bench", "bench"), deadlines(loop), verifier(make_verifier(secret, clock)), encoder(true),
          hub({}, encoder, clock, metrics), feed(hub, log_, metrics), history(hub, log_, metrics), yes([this] { return feed.cursor(); }),
          bookkeeper(yes, deadlines, rng.id()), leases(bookkeeper, deadlines),
          revocations(clock), services{hub,       history, yes, bookkeeper, leases, revocations, verifier,
                                       deadlines, clock,   rng, metrics,    {},     {},          {}},
          system_events(services), server(loop, services, server_options(port),
                                          {[] { return http::Reply(); }, [](bool) { return http::Reply(); }, [] { return http::Reply(); }}),
          flush_timer(loop.timer()), control(loop, control_port, [this](std::string_view payload) { feed.notification(payload); }) {}

    SystemClock clock;
    SystemRng rng;
    Metrics metrics;
    loop::Loop loop;
    loop::WheelTimer deadlines;
    auth::Verifier verifier;
    app::FrameEncoder encoder;
    hub::Hub hub;
    NoLog log_;
    hub::Feed feed;
    hub::History history;
    Yes yes;
    handlers::Bookkeeper bookkeeper;
    handlers::Leases leases;
    handlers::Revocations revocations;
    handlers::Services services;
    handlers::SystemEvents system_events;
    transport::Server server;
    std::unique_ptr<loop::Timer> flush_timer;
    std::unique_ptr<loop::Signal> sigterm;
    Control control;
};

void serve(Parts &p) {
    p.sigterm = p.loop.signal(SIGTERM, [&p](int) { p.loop.stop(); });
    p.loop.at_turn_end([&p] {
        p.yes.answer_all();
        p.history.turn();
        if (const auto pause = p.hub.flush()) p.flush_timer->once(*pause, [] {});
    });
    p.feed.start(kEpoch, Position{0});
    p.bookkeeper.start();
    p.server.start();
    std::cout << "ready" << std::endl;
    p.loop.run();
}

}  // namespace
}  // namespace bench

int main(int argc, char **argv) {
    if (argc != 4) {
        std::cerr << "usage: bridge_alone PORT CONTROL_PORT SECRET" << std::endl;
        return 2;
    }
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    mallopt(M_ARENA_MAX, 1);  // as the bridge does
    std::signal(SIGPIPE, SIG_IGN);
    bridge::log::set_level(bridge::log::Level::warn);
    try {
        bench::Parts parts(static_cast<std::uint16_t>(std::atoi(argv[1])), static_cast<std::uint16_t>(std::atoi(argv[2])), argv[3]);
        bench::serve(parts);
        return 0;
    } catch (const std::exception &error) {
        std::cerr << "bridge_alone: " << error.what() << std::endl;
        return 1;
    }
}
