// See history.hpp for the states. An Item is in exactly one place: waiting_, group_, paused_, or on its way in go_on().
#include "hub/history.hpp"

#include <algorithm>
#include <utility>

#include "hub/evictions.hpp"
#include "hub/room_list.hpp"

namespace bridge::hub {

namespace {
constexpr Position kNever{UINT64_MAX};
constexpr std::size_t kMostPages = 5;  // in one query
}  // namespace

History::History(Hub &hub, Source &source, Metrics &metrics, HistoryOptions options)
    : hub_(hub), source_(source), metrics_(metrics), options_(options) {}
History::~History() = default;

void History::recover(Request request, std::function<void(HistoryOutcome)> done) {
    auto item = std::make_unique<Item>();
    item->session = request.session;
    item->decided = request.decided;
    item->backfill = request.backfill;
    item->first = std::move(request.first);
    item->done = std::move(done);
    item->max_events = request.max_events.value_or(options_.max_events);
    Position lowest = kNever;
    for (const RoomSince &room : request.rooms) {
        item->rooms.push_back({std::string(room.room), room.since, hub_.in_room(request.session, room.room)});
        lowest = std::min(lowest, room.since);
    }
    item->reached = item->began = request.rooms.empty() ? hub_.head() : lowest;
    ++count_;
    rooms_ += item->room_count = item->rooms.size();
    if (count_ > options_.max_waiting || rooms_ > options_.max_waiting_rooms) return finish(std::move(item), "unavailable");
    go_on(std::move(item));
}

void History::go_on(ItemPtr item) {
    switch (hub_.resume(*item, options_.window, item->max_events)) {
        case Step::live: return finish(std::move(item), "recovered");
        case Step::more: return paused_.push_back(std::move(item));
        case Step::too_old:
            if (!item->counted && !item->begun && hub_.head().value - item->reached.value > item->max_events) {
                item->counted = item->counting = true;
            }
            return waiting_.push_back(std::move(item));
        case Step::too_much: return finish(std::move(item), "too_much");
        case Step::evicted: return finish(std::move(item), "evicted");
        case Step::too_many: return finish(std::move(item), "too_many");
        case Step::gone: return finish(std::move(item), "gone");
    }
}

void History::finish(ItemPtr item, std::string_view outcome) {
    --count_;
    rooms_ -= item->room_count;
    metrics_.recoveries(outcome).Increment();
    metrics_.recoveries_waiting().Set(static_cast<double>(count_));
    const bool recovered = outcome == "recovered";
    item->done({recovered, recovered ? std::string() : std::string(outcome), item->begun});
}

void History::turn() {
    metrics_.recoveries_waiting().Set(static_cast<double>(count_));
    if (!paused_.empty()) {
        std::vector<ItemPtr> paused;
        paused.swap(paused_);
        for (ItemPtr &item : paused) {
            if (!hub_.drained(item->session)) {
                paused_.push_back(std::move(item));
                continue;
            }
            item->sent = 0;
            go_on(std::move(item));
        }
    }
    if (!asked_ && !waiting_.empty() && !source_.resting()) ask();
}

bool History::ready() const {
    return std::any_of(paused_.begin(), paused_.end(), [this](const ItemPtr &item) { return hub_.drained(item->session); });
}

// ---------------------------------------------------------------------------------------------------------------- pages

// The one that has waited longest, and all whose cursors lie near: from the lowest of them on, so that each page brings somebody on.
void History::ask() {
    const std::uint64_t longest = waiting_.front()->reached.value;
    Position lowest = waiting_.front()->reached;
    for (const ItemPtr &item : waiting_) {
        if (item->reached < lowest && item->reached.value + options_.near > longest) lowest = item->reached;
    }
    std::deque<ItemPtr> others, gone;
    for (ItemPtr &item : waiting_) {
        if (hub_.ending(item->session)) {
            gone.push_back(std::move(item));
        } else if (item->reached < lowest || item->reached.value > lowest.value + options_.near || !take_into_group(item)) {
            others.push_back(std::move(item));
        }
    }
    waiting_ = std::move(others);
    if (!group_.empty()) {
        std::vector<std::string> names{std::string(kSystemRoom)};
        names.reserve(interests_.size() + 1);
        for (const auto &[name, interested] : interests_) names.emplace_back(name);
        asked_ = true;
        up_to_ = hub_.head();
        after_ = last_row_ = lowest;
        metrics_.history_queries().Increment();
        const int pages = static_cast<int>(std::min<std::size_t>(1 + group_.size() / 200, kMostPages));
        source_.history(std::move(names), lowest, up_to_, options_.page * pages);
    }
    for (ItemPtr &item : gone) finish(std::move(item), "gone");
}

// false: the query would get too many rooms; another time.
bool History::take_into_group(ItemPtr &item) {
    const auto fresh = static_cast<std::size_t>(
        std::count_if(item->rooms.begin(), item->rooms.end(), [this](const auto &room) { return !interests_.contains(room.name); }));
    if (!group_.empty() && interests_.size() + fresh > options_.rooms_a_query) return false;
    for (const Recovering::Room &room : item->rooms) {
        interests_[room.name].push_back({item.get(), std::max(room.since, item->reached)});
    }
    item->last_row = Position{};
    group_.push_back(std::move(item));
    return true;
}

void History::row(const Event &event) {
    if (!asked_ || event.position <= last_row_) return;
    last_row_ = event.position;
    if (event.name.starts_with("\"pulse:") && is_system(event)) evicted_in_page(event);
    receivers_.clear();
    receiving_.clear();
    each_room(event.rooms, [&](std::string_view name) {
        const auto found = interests_.find(name);
        if (found == interests_.end()) return true;
        for (const Interest &interest : found->second) {
            Item &item = *interest.item;
            if (event.position <= interest.since || item.stopped || item.evicted || item.last_row == event.position) continue;
            item.last_row = event.position;
            if (item.counting) {
                ++item.missing;
                continue;
            }
            receivers_.push_back({item.session, found->first, item.backfill});
            receiving_.push_back(&item);
        }
        return true;
    });
    for (Item *item : receiving_) {
        if (!item->first) continue;
        item->begun = true;
        hub_.send(item->session, std::move(item->first));
    }
    hub_.deliver_to(receivers_, event);
    for (std::size_t i = 0; i < receiving_.size(); ++i) {
        Item &item = *receiving_[i];
        if (receivers_[i].bytes == 0) continue;
        item.begun = true;
        ++item.given;
        item.sent += receivers_[i].bytes;
        if (item.sent < options_.window) continue;
        item.stopped = true;
        item.reached = event.position;
    }
}

// What the cursor is that goes with the event at `position`.
Position History::seen(const Item &item, Position position) const { return item.backfill ? hub_.cursor(item.session).position : position; }

// An eviction in the range that is read. Nothing sent yet: the session shall begin anew. Else it ends, in its place, what was begun.
void History::evicted_in_page(const Event &event) {
    const auto eviction = Eviction::read(event);
    if (!eviction) return;
    for (const ItemPtr &item : group_) {
        if (item->evicted || item->stopped || item->counting || event.position <= item->reached) continue;
        const Session *session = hub_.find(item->session);
        if (!session || !eviction->concerns(*session->claims)) continue;
        if (eviction->revocation) {
            item->evicted = !item->begun;  // else it came after the decision, and the connection is ending already
            continue;
        }
        const auto room = std::find_if(item->rooms.begin(), item->rooms.end(),
                                       [&](const Recovering::Room &r) { return r.name == eviction->room && r.since < event.position; });
        if (room == item->rooms.end() || room->lost) continue;
        if (!item->begun) {
            item->evicted = true;
            continue;
        }
        if (!room->member) hub_.tell_evicted(item->session, *eviction, seen(*item, event.position));  // else told when it happened
        room->lost = true;
        for (Interest &interest : interests_.find(eviction->room)->second) {
            if (interest.item == item.get()) interest.since = kNever;
        }
    }
}

void History::page_done(bool more) {
    if (asked_) end_page(more ? last_row_ : up_to_);
}

std::vector<History::ItemPtr> History::take_group() {
    asked_ = false;
    interests_.clear();
    for (const ItemPtr &item : group_) {
        std::erase_if(item->rooms, [](const Recovering::Room &room) { return room.lost; });
        if (item->rooms.empty() && item->backfill) item->evicted = true;
    }
    return std::exchange(group_, {});
}

void History::end_page(Position up_to) {
    const bool exhausted = up_to >= up_to_;
    for (ItemPtr &item : take_group()) {
        if (item->evicted) {
            finish(std::move(item), "evicted");
            continue;
        }
        if (item->stopped) {
            item->stopped = false;
            paused_.push_back(std::move(item));
            continue;
        }
        item->reached = std::max(item->reached, up_to);
        if (item->counting) {
            if (item->missing > item->max_events) {
                finish(std::move(item), "too_much");
                continue;
            }
            if (!exhausted) {
                waiting_.push_back(std::move(item));
                continue;
            }
            item->counting = false;
            if (item->missing > 0) item->reached = item->began;
        }
        go_on(std::move(item));
    }
}

// Rows come only when the whole page could be read, so a page that failed has given nothing to those it failed for.
void History::failed(Failure why) {
    if (!asked_) return;
    for (ItemPtr &item : take_group()) {
        if (why == Failure::unavailable) {
            finish(std::move(item), "unavailable");
        } else if (item->reached <= after_ || item->reached.value + 1 < hub_.log_floor().value) {
            finish(std::move(item), "expired");
        } else {
            waiting_.push_back(std::move(item));
        }
    }
}

}  // namespace bridge::hub
