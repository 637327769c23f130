// Sessions that come back: each gets what it missed, once and in order, and is live in the same loop turn as the last of it.
//
// What the hub's ring still holds is given at once. For the rest those that wait share queries: one asks for the rooms of all
// whose cursors lie near each other, and each row of its pages goes to every session that misses it, as one frame.
//
//             ring covers the cursor                       all given
//   recover ───────────────────────▶ resuming ─────────────────────────────────▶ done: live
//      │                                │ ▲ │ its window is full
//      │ not                  ring has  │ │ └──────────▶ paused (until its socket has taken everything)
//      ▼                      moved on  │ │                 │
//   waiting ◀───────────────────────────┘ │                 │
//      │  ▲ ◀─────────────────────────────┼─────────────────┘
//      ▼  │ more pages                    │
//   a page, with others near by ──────────┘
//
// Bounded: sessions and rooms that wait; bytes that one session has under way (its window); a page is streamed, never kept.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/metrics.hpp"
#include "hub/hub.hpp"

namespace bridge::hub {

struct HistoryOptions {
    std::size_t window = 524'288;       // bytes on their way to one session; half of HubOptions::max_queue_bytes
    std::size_t max_events = 100'000;   // missed by one session: more is `too_much`
    std::size_t max_waiting = 100'000;  // recoveries
    std::size_t max_waiting_rooms = 1'000'000;
    std::size_t rooms_a_query = 5'000;
    std::uint64_t near = 10'000;  // cursors so many positions apart share queries
    int page = 1'000;             // events of one query; up to five times as many when hundreds wait for them
};

class History {
public:
    class Source {
    public:
        virtual ~Source() = default;
        // Run pulse.bridge_history(rooms, after, up_to, max_events), give the rows to History::row(), then page_done() or failed():
        // later, never inside this call. One is asked for at a time. A page that was cut may be started again: rows that were
        // given already are ignored.
        virtual void history(std::vector<std::string> rooms, Position after, Position up_to, int max_events) = 0;
        // For a moment nothing is asked, and those who come meanwhile share the next query. A turn of the loop comes when it is over.
        virtual bool resting() const { return false; }
    };
    enum class Failure { expired, unavailable };

    History(Hub &hub, Source &source, Metrics &metrics, HistoryOptions options = {});
    ~History();

    // Gives the session the events of these rooms since their positions, and joins it. `decided`: the position of the snapshot in which
    // that was allowed; evictions up to there are the database's business. `backfill`: the session is in other rooms already and has
    // seen later events; what it had through them is left out, and what it gets carries its own cursor.
    // `first` goes out before the first event. `done` is called once, perhaps inside this call; when it says recovered, what it sends
    // comes after everything that was missed and before anything live.
    struct Request {
        SessionId session;
        std::vector<RoomSince> rooms;
        Position decided;
        bool backfill = false;
        FramePtr first;
        std::optional<std::size_t> max_events{};  // instead of the option's
    };
    void recover(Request request, std::function<void(HistoryOutcome)> done);

    // The loop (or a test) calls this once at the end of each turn, before Hub::flush(): asks for the next page, and goes on with those
    // whose sockets have taken everything.
    void turn();
    // After Hub::flush(): somebody paused can go on already, so another turn is wanted although nothing else may happen.
    bool ready() const;

    // From the Source.
    void row(const Event &event);
    void page_done(bool more);  // `more`: max_events rows came, so the range is not exhausted
    void failed(Failure why);

    std::size_t waiting() const { return count_; }

private:
    struct Item : Recovering {
        std::size_t room_count = 0;  // that it came with
        Position began;              // the cursor it came with
        std::size_t max_events = 0;  // that it may have missed
        bool counted = false;        // a long range is read twice: first to know whether it is too much,
        bool counting = false;       // which is now
        std::size_t missing = 0;     // events counted
        bool stopped = false;        // its window is full: the rest of this page is not for it
        bool evicted = false;        // ends with this page
        Position last_row;           // the last one counted or given: a row is in several of its rooms
    };
    using ItemPtr = std::unique_ptr<Item>;
    struct Interest {
        Item *item;
        Position since;
    };

    void go_on(ItemPtr item);
    void finish(ItemPtr item, std::string_view outcome);
    void ask();
    bool take_into_group(ItemPtr &item);
    Position seen(const Item &item, Position position) const;
    void evicted_in_page(const Event &event);
    std::vector<ItemPtr> take_group();
    void end_page(Position up_to);

    Hub &hub_;
    Source &source_;
    Metrics &metrics_;
    const HistoryOptions options_;
    std::size_t count_ = 0;
    std::size_t rooms_ = 0;
    std::deque<ItemPtr> waiting_;
    std::vector<ItemPtr> paused_;

    // The page under way.
    bool asked_ = false;
    std::vector<ItemPtr> group_;
    std::unordered_map<std::string_view, std::vector<Interest>> interests_;  // names are the items'
    Position after_, up_to_, last_row_;
    std::vector<Hub::Receiver> receivers_;  // scratch
    std::vector<Item *> receiving_;         // scratch
};

}  // namespace bridge::hub
