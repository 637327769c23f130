// One statement at a time, so the order of changes is the order in the database.
#include "handlers/bookkeeper.hpp"

#include <algorithm>
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"

namespace bridge::handlers {

namespace {

std::string about(const PublicId &key, std::uint64_t generation) {
    return R"({"key":")" + std::string(key.view()) + R"(","generation":)" + std::to_string(generation);
}

}  // namespace

Bookkeeper::Alarm::Alarm(Bookkeeper &bookkeeper)
    : Entry([](Entry &entry) { static_cast<Alarm &>(entry).owner.beat(); }), owner(bookkeeper) {}

Bookkeeper::Bookkeeper(db::Queries &queries, loop::Deadlines &deadlines, PublicId bridge)
    : queries_(queries), deadlines_(deadlines), bridge_(bridge), alarm_(*this) {}

void Bookkeeper::start() { send(); }

std::uint64_t Bookkeeper::left(const PublicId &key, std::uint64_t generation, std::string_view room) {
    return last_but_ends_ = add(about(key, generation) + R"(,"leave":)" + json::quote(room) + "}");
}

std::uint64_t Bookkeeper::evicted(const PublicId &key, std::uint64_t generation, std::string_view room, Position position) {
    return last_but_ends_ =
               add(about(key, generation) + R"(,"leave":)" + json::quote(room) + R"(,"evictedAt":)" + std::to_string(position.value) + "}");
}

std::uint64_t Bookkeeper::ended(const PublicId &key, std::uint64_t generation) { return add(about(key, generation) + R"(,"ended":true})"); }

std::uint64_t Bookkeeper::forgotten(const PublicId &key, std::uint64_t generation) {
    return last_but_ends_ = add(about(key, generation) + R"(,"ended":true,"forget":true})");
}

std::uint64_t Bookkeeper::active(const PublicId &key, std::uint64_t generation, std::int64_t idle) {
    return add(about(key, generation) + R"(,"idle":)" + std::to_string(idle) + "}");
}

std::uint64_t Bookkeeper::untracked(const PublicId &key, std::uint64_t generation, std::string_view room) {
    return add(about(key, generation) + R"(,"untrack":)" + json::quote(room) + "}");
}

std::uint64_t Bookkeeper::present(const PublicId &key, std::uint64_t generation, std::string_view lease) {
    return add(about(key, generation) + R"(,"lease":)" + std::string(lease) + "}");
}

std::uint64_t Bookkeeper::leases_complete(std::string_view token) { return add(R"({"leasesComplete":)" + json::quote(token) + "}"); }

std::uint64_t Bookkeeper::add(std::string change) {
    if (changes_.size() >= kMaxWaiting) {
        if (!std::exchange(full_, true)) log::error("changes of sessions are dropped: the database was away too long");
        return last();
    }
    changes_.push_back(std::move(change));
    if (!busy_) send();
    return last();
}

void Bookkeeper::when_stored(std::uint64_t change, std::function<void(bool)> then) {
    waiters_.push_back({change, std::move(then)});
    if (!busy_) send();
}

void Bookkeeper::send() {
    busy_ = true;
    under_way_ = 0;
    std::string text = "[";
    while (under_way_ < std::min(changes_.size(), kBatch) && text.size() < kBatchBytes) {
        if (under_way_ > 0) text += ',';
        text += changes_[under_way_++];
    }
    queries_.sessions(std::string(bridge_.view()), text + "]", [this](Result<std::string> answer) { answered(answer); });
}

void Bookkeeper::answered(const Result<std::string> &answer) {
    busy_ = false;
    const bool refused = !answer && answer.error().code != Errc::unavailable;  // the same would be refused for ever
    if (refused) log::error("changes of sessions were refused", {{"changes", under_way_}});
    if (answer || refused) {
        changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(under_way_));
        stored_ += under_way_;
        full_ = false;
    }
    under_way_ = 0;
    deadlines_.arm(alarm_, deadlines_.now() + (answer ? kHeartbeat : kRetry));
    if (answer && !answer->empty() && leases_wanted_) leases_wanted_(*answer);
    if (!changes_.empty() && !busy_ && (answer || refused)) send();

    // Last: they may add changes.
    std::deque<Waiter> waiting;
    waiting.swap(waiters_);
    for (Waiter &waiter : waiting) {
        if (!answer && !stored(waiter.change)) {
            waiter.then(false);
        } else if (stored(waiter.change)) {
            waiter.then(true);
        } else {
            waiters_.push_back(std::move(waiter));
        }
    }
}

void Bookkeeper::beat() {
    if (busy_) return;
    if (before_beat_) before_beat_();
    if (!busy_) send();
}

}  // namespace bridge::handlers
