// load_client: up to ten thousand clients of one protocol in one process, driven by lines on standard input, each answered by
// one line of JSON. Never the limit: no JSON parsing, one recv a frame. The runner (tests/bench/run) and load tests start it.
//
//   connect N               open sockets until N exist      -> {"connected":…,"refused":…,"seconds":…,"reasons":{…}}
//   fanout MESSAGES FLIGHT  a measured round (--publish)    -> see client/fanout.cpp
//   rate MESSAGES_S SECONDS ROOMS   messages to room 0, 1 … in turn at this rate -> see client/pace.cpp
//   call IN_FLIGHT SECONDS    events with an ack (--call, --answer), so many under way on each socket -> see client/calls.cpp
//   callrate A_SECOND SECONDS the same at this rate, on the sockets in turn
//   record                  start noting arrival times      -> {}
//   save FILE               stop, write "seq ns" lines      -> {"events":…}
//   wait N SECONDS          until N deliveries are counted  -> counts
//   counts                  what was counted so far         -> counts
//   reset                   counts and sequences from zero  -> {}
//   publish N               send N messages, not waiting    -> {"last":…}
//   cut                     reset all connections           -> {}
//   return SECONDS LAST PORT PID   all that were cut come back within SECONDS and get everything up to LAST -> see client/storm.cpp
//   emit SOCKET PACKET      one raw Engine.IO packet        -> {}
//   close [reset]           end all connections             -> {}
//   quit
#include "client/calls.hpp"
#include "client/fanout.hpp"
#include "client/fleet.hpp"
#include "client/pace.hpp"
#include "client/process.hpp"
#include "client/storm.hpp"
#include "client/trigger.hpp"

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <sstream>
#include <utility>

namespace bench {
namespace {

using nlohmann::json;

class Commands : public Ready {
public:
    Commands(FleetOptions fleet, FanoutOptions fanout, CallOptions call, const std::string &publish)
        : fanout_(std::move(fanout)), call_(std::move(call)), fleet_(poller_, fleet) {
        if (!publish.empty()) trigger_ = make_trigger(publish, fleet.event, poller_);
        fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
        poller_.add(0, EPOLLIN, *this);
    }

    void serve() {
        while (!quit_) {
            poller_.turn(1000);
            quit_ = ended_ && lines_.empty();
            while (!quit_ && !lines_.empty()) {
                const std::string line = std::move(lines_.front());
                lines_.erase(lines_.begin());
                std::cout << answer(line).dump() << std::endl;
            }
        }
    }

    void on_ready(uint32_t) override {
        char bytes[4096];
        const ssize_t got = ::read(0, bytes, sizeof bytes);
        if (got == 0) {
            ended_ = true;
            poller_.remove(0);
        }
        for (ssize_t i = 0; i < got; ++i) {
            if (bytes[i] != '\n')
                partial_ += bytes[i];
            else
                lines_.push_back(std::exchange(partial_, {}));
        }
    }

private:
    json answer(const std::string &line) {
        std::istringstream words(line);
        std::string command;
        words >> command;
        if (command == "connect") return connect_to(number(words));
        if (command == "fanout") {
            fanout_.messages = number(words);
            fanout_.in_flight = number(words);
            if (!trigger_ || fanout_.messages == 0 || fanout_.in_flight == 0)
                return {{"error", "fanout needs --publish and two numbers above 0"}};
            return run_fanout(poller_, fleet_, *trigger_, fanout_, seq_);
        }
        if (command == "rate" && trigger_) {
            PaceOptions pace{.room = fanout_.room, .size = fanout_.size, .server = fanout_.server, .behind = fanout_.behind};
            pace.a_second = number(words);
            pace.seconds = number(words);
            pace.rooms = number(words);
            if (pace.a_second == 0 || pace.seconds == 0 || pace.rooms == 0) return {{"error", "rate needs three numbers above 0"}};
            return run_pace(poller_, fleet_, *trigger_, pace, seq_);
        }
        if (command == "call" || command == "callrate") {
            CallOptions call = call_;
            call.server = fanout_.server;
            call.behind = fanout_.behind;
            (command == "call" ? call.in_flight : call.a_second) = number(words);
            call.seconds = number(words);
            if (call.event.empty() || call.in_flight + call.a_second == 0 || call.seconds == 0)
                return {{"error", command + " needs --call and two numbers above 0"}};
            return run_calls(poller_, fleet_, call, call_number_);
        }
        if (command == "publish" && trigger_) {
            for (size_t left = number(words); left > 0; --left) trigger_->publish(fanout_.room, payload_of(seq_++, fanout_.size));
            trigger_->flush();
            return {{"last", seq_ - 1}};
        }
        if (command == "cut") {
            fleet_.cut();
            return json::object();
        }
        if (command == "return") {
            StormOptions storm;
            words >> storm.within_s >> storm.last >> storm.port >> storm.server;
            return run_storm(poller_, fleet_, storm);
        }
        if (command == "record") {
            arrivals_.clear();
            arrivals_.reserve(1 << 20);
            fleet_.on_event = [this](uint32_t, int64_t seq, std::string_view) { arrivals_.emplace_back(seq, now_ns()); };
            return json::object();
        }
        if (command == "save") return save(words);
        if (command == "wait") {
            const uint64_t wanted = number(words);
            const long long deadline = now_ns() + static_cast<long long>(number(words)) * 1'000'000'000;
            while (fleet_.counts().deliveries < wanted && now_ns() < deadline) poller_.turn(50);
            return counts();
        }
        if (command == "counts") return counts();
        if (command == "reset") {
            fleet_.reset_counts();
            fleet_.forget_sequence();
            return json::object();
        }
        if (command == "emit") {
            const uint32_t socket = static_cast<uint32_t>(number(words));
            std::string packet;
            std::getline(words >> std::ws, packet);
            if (socket >= fleet_.target()) return {{"error", "no such socket"}};
            fleet_.emit(socket, packet);
            return json::object();
        }
        if (command == "close") {
            std::string how;
            words >> how;
            fleet_.close_all(how == "reset");
            return json::object();
        }
        quit_ = command == "quit";
        return quit_ ? json::object() : json{{"error", "unknown command: " + line}};
    }

    json connect_to(size_t target) {
        fleet_.prepare(target);
        const double own_before = cpu_seconds(getpid()), server_before = cpu_seconds(fanout_.server),
                     behind_before = cpu_seconds(fanout_.behind);
        const long long began = now_ns();
        const long long deadline = began + 120'000'000'000;
        fleet_.pump();
        while (fleet_.settled() < fleet_.target() && now_ns() < deadline) {
            poller_.turn(100);
            fleet_.pump();
        }
        return {{"connected", fleet_.ready()},
                {"clientCpu", cpu_seconds(getpid()) - own_before},
                {"serverCpu", cpu_seconds(fanout_.server) - server_before},
                {"behindCpu", cpu_seconds(fanout_.behind) - behind_before},
                {"refused", fleet_.counts().refused},
                {"seconds", static_cast<double>(now_ns() - began) / 1e9},
                {"reasons", fleet_.counts().reasons}};
    }

    json save(std::istringstream &words) {
        std::string path;
        words >> path;
        fleet_.on_event = nullptr;
        std::ofstream file(path);
        for (const auto &[seq, at] : arrivals_) file << seq << ' ' << at << '\n';
        if (!file.flush()) return {{"error", "cannot write " + path}};
        return {{"events", arrivals_.size()}};
    }

    json counts() {
        const FleetCounts &c = fleet_.counts();
        return {{"ready", fleet_.ready()}, {"deliveries", c.deliveries}, {"otherEvents", c.other_events},
                {"pings", c.pings},        {"repeated", c.repeated},     {"skipped", c.skipped},
                {"lost", c.lost},          {"refused", c.refused},       {"positionErrors", c.position_errors},
                {"reasons", c.reasons}};
    }

    static size_t number(std::istringstream &words) {
        size_t value = 0;
        words >> value;
        return value;
    }

    Poller poller_;
    FanoutOptions fanout_;
    CallOptions call_;
    Fleet fleet_;
    std::unique_ptr<Trigger> trigger_;
    int64_t seq_ = 1;
    int64_t call_number_ = 1;
    std::vector<std::pair<int64_t, long long>> arrivals_;
    std::vector<std::string> lines_;
    std::string partial_;
    bool quit_ = false;
    bool ended_ = false;  // standard input: what was read is still answered
};

}  // namespace
}  // namespace bench

int main(int argc, char **argv) {
    bench::FleetOptions fleet;
    bench::FanoutOptions fanout;
    bench::CallOptions call;
    std::string publish;
    CLI::App app("Thousands of clients, driven by lines on standard input");
    app.add_option("--host", fleet.host, "server address");
    app.add_option("--port", fleet.port, "server port")->required();
    app.add_option("--protocol", fleet.protocol, "socketio, native, websocket, sse, poll, polling or parked");
    app.add_option("--path", fleet.path,
                   "what is asked for, when not the protocol's own; {i} is the socket's number, {i/10} a tenth of it");
    app.add_option("--at-a-time", fleet.at_a_time, "handshakes under way at once");
    app.add_option("--secret", fleet.secret, "HS256 secret of the tokens; none: no token is sent");
    app.add_option("--user", fleet.user, "user id of a socket, {i} is its number");
    app.add_option("--claims", fleet.claims, "more members of the claims object, as JSON text");
    app.add_option("--join", fleet.rooms, "rooms that each socket joins; {i} and {i/10} as above");
    app.add_option("--event", fleet.event, "the event that counts as a delivery");
    app.add_flag("--positions", fleet.check_positions, "check that the offset argument grows on every socket");
    app.add_flag("--recover", fleet.recover, "sockets keep pid and offset, and ask for their session when they come back");
    app.add_option("--publish", publish, "how messages are published: pg:<conninfo>, notify:<port>, tcp:<port> or post:<port>");
    app.add_option("--room", fanout.room, "the room that is published to; rate puts a number behind it");
    app.add_option("--call", call.event, "an event with its arguments, a JSON array; {n} is the call's number, {i} the socket's");
    app.add_option("--answer", call.answer, "what its ack must be, a JSON array without white space");
    app.add_option("--size", fanout.size, "bytes of a message's frame, about");
    app.add_option("--server-pid", fanout.server, "processes whose CPU a round counts");
    app.add_option("--behind-pid", fanout.behind, "processes whose CPU a round counts apart");
    CLI11_PARSE(app, argc, argv);
    bench::raise_file_limit();
    try {
        bench::Commands(fleet, fanout, call, publish).serve();
    } catch (const std::exception &error) {
        std::cerr << "load_client: " << error.what() << std::endl;
        return 1;
    }
}
