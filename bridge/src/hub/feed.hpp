// The bridge's place in the stream of positions. Takes notifications and rows that were read, decides duplicate / next / gap as
// docs/reference/notify.md says, and gives the hub every event exactly once and in order. No SQL: reading is the Source's.
//
//      stopped ──start(epoch, head)──▶ live ──gap · wake-up · needed reference──▶ reading ──range exhausted──▶ live
//         ▲                              └──────other epoch──────┐                   │
//         └──────────stop() (connection lost)────────────────────┴───────────────────┘
//
// Positions go on over epochs, so after a cut it reads what is missing and goes on. Not when what it has handled is no part of this
// log (the epoch ended below its head, or is unknown: positions are given anew), nor when what is missing can no longer be read: then
// nobody here can be told everything, every connection ends and may come back, and the stream is begun anew at its end.
//
// While reading, notifications are kept up to a bound in bytes; beyond it they are dropped and their range is read instead. Ephemeral
// events stay in their place among them, so they come after the durable ones that were sent before; what is dropped of them is lost, and
// counted.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "hub/encoder.hpp"

namespace bridge::hub {

class Hub;
class Notification;

class Feed {
public:
    class Source {
    public:
        virtual ~Source() = default;
        // Call pulse.bridge_read(after, up_to, …) and give the rows to Feed::row(), then Feed::read_done(): later, never inside this
        // call. One is asked for at a time. A read that fails: stop the feed and connect anew.
        virtual void read(Position after, Position up_to) = 0;
        // The epoch is another one, or a notification was malformed: connect anew from pulse.bridge_hello(). The feed is stopped
        // already. Called inside notification(), read_done() or start(): do it later.
        virtual void restart() = 0;
    };

    enum class State { stopped, live, reading };

    Feed(Hub &hub, Source &source, Metrics &metrics, std::size_t max_waiting_bytes = 4 * 1024 * 1024);

    // What the database says of the epoch that the feed knows, and of its log.
    struct Past {
        bool known = true;            // there was such an epoch
        std::optional<Position> end;  // its last position, when it is over
        Position floor;               // the lowest position that can still be read
    };
    // After hello and LISTEN. `position` is the database's last position. The first start ever begins there, or at the decision of the
    // earliest session that is here already; a later one goes on from the own head and reads what is missing.
    void start(std::string_view epoch, Position position, const Past &past);
    void start(std::string_view epoch, Position position) { start(epoch, position, Past()); }

    // The connection is gone. Head and epoch stay. From now on the Source gives no rows of an earlier read.
    void stop();

    // The payload of a notification that came from the dispatcher's own pid. Before start() they are kept as while reading: one
    // may arrive between LISTEN and the answer that start() is called with.
    void notification(std::string_view payload);

    // A wake-up known by another way (a new dispatcher pid: hello said `position`): reads up to it if the head is behind.
    void catch_up(Position position);

    // Rows of the read asked for, in order. `more`: max_events rows came, so the range is not exhausted; read() is called again.
    void row(const Event &event);
    void read_done(bool more);

    State state() const { return state_; }
    Position head() const { return head_; }
    const std::string &epoch() const { return epoch_; }
    Cursor cursor() const { return {epoch_, head_}; }

private:
    void handle(std::string_view payload);
    void handle_ephemeral(Notification &notification);
    void wait_for(std::string_view payload, Position up_to);
    void read_to(Position up_to);
    void drain_waiting();
    void advance(Position to);
    void begin_at(Position position);
    const char *why_lost(std::string_view epoch, Position from, Position position, const Past &past) const;
    void fail(std::string_view why);
    void restart();

    Hub &hub_;
    Source &source_;
    Metrics &metrics_;
    const std::size_t max_waiting_bytes_;
    State state_ = State::stopped;
    bool started_once_ = false;
    std::string epoch_;
    Position head_;
    Position reading_to_;                   // end of the read under way
    std::uint64_t ephemeral_sequence_ = 0;  // of the last notification of ephemeral events, in this epoch
    Position wanted_;                       // highest position known to exist that is not in waiting_
    std::deque<std::string> waiting_;
    std::size_t waiting_bytes_ = 0;
};

}  // namespace bridge::hub
