// The LISTEN connection: finds the secret channel, feeds the dispatcher's notifications to hub::Feed, reads what is missing with
// pulse.bridge_read, and starts over when the connection, the dispatcher or the epoch changes. It never delivers to a socket itself.
//
//   down ──connected──▶ greeting: hello → LISTEN → hello ──▶ listening ──unknown pid──▶ asking (hello) ──▶ listening
//    ▲                     ▲  └─ no epoch yet: again soon        │  └─ every few seconds: hello, the safety check
//    └──connection lost────┴──────────other epoch────────────────┘
//
// Notifications that arrive while it does not know whom to trust are held, bounded, and judged after the answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.hpp"
#include "base/rng.hpp"
#include "db/connection.hpp"
#include "hub/feed.hpp"
#include "hub/hub.hpp"
#include "loop/loop.hpp"

namespace bridge::db {

struct ListenerOptions {
    std::string conninfo;
    std::string bridge_name;
    std::chrono::milliseconds safety_check{5'000};
    std::chrono::milliseconds retry{500};  // while there is no dispatcher, or no epoch yet
    int page = 1000;                       // rows of one bridge_read
};

class Listener final : public hub::Feed::Source {
public:
    struct Health {
        bool connected = false;        // the connection is up
        bool listening = false;        // LISTENing on the channel of the epoch
        bool dispatcher = false;       // hello said that one is alive
        bool caught_up = false;        // nothing known is missing
        std::string reason;            // the first of these that is false, in words; empty: ready
        std::string detail;            // what PostgreSQL said last, for operators only
        std::uint64_t lag_events = 0;  // database head minus own head, when last looked
    };

    Listener(loop::Loop &loop, Rng &rng, Metrics &metrics, hub::Hub &hub, ListenerOptions options);
    ~Listener() override;

    void start();
    void stop();
    Health health() const;
    const hub::Feed &feed() const { return feed_; }

    // Feed::Source
    void read(Position after, Position up_to) override;
    void restart() override;

private:
    enum class State { down, greeting, listening, asking };
    struct Hello {
        std::string epoch, channel;
        std::optional<int> dispatcher_pid;
        Position position;
        hub::Feed::Past past;  // of the feed's own epoch
    };
    struct Held {
        int pid;
        std::string payload;
    };

    void on_up();
    void on_down(const std::string &why);
    void on_notification(int pid, std::string_view payload);
    void greet();
    void greeted(const Hello &first);
    void ask();
    void hello(std::function<void(const Hello &)> then);
    void learn(const Hello &hello);
    void judge_held();
    void schedule_check(std::chrono::milliseconds after);
    void take_row(const Rows &row);

    Metrics &metrics_;
    hub::Hub &hub_;
    ListenerOptions options_;
    hub::Feed feed_;
    Connection connection_;
    std::unique_ptr<loop::Timer> timer_;
    State state_ = State::down;
    std::uint64_t round_ = 0;  // changes with every greeting: late answers of an older one are ignored
    std::string channel_;
    std::optional<int> dispatcher_pid_;
    Position known_head_;  // the database's, when last asked
    std::vector<Held> held_;
    std::size_t held_bytes_ = 0;
    bool held_overflow_ = false;
    std::optional<int> rejected_pid_;
    std::chrono::steady_clock::time_point rejected_at_{};
    std::optional<std::chrono::steady_clock::time_point> reading_since_;
    std::string last_failure_;
    std::uint64_t rows_read_ = 0;
};

}  // namespace bridge::db
