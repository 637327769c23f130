#include "handlers/leases.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"

namespace bridge::handlers {

namespace {

constexpr std::int64_t kOftenest = 250;         // ms between two reports of a session
constexpr std::size_t kSliceBytes = 1'000'000;  // of leases that are written at once

// SQL's own text, of any depth.
json::Limits limits(std::string_view text) { return {.max_bytes = text.size() + 1, .max_depth = 10'000}; }

}  // namespace

Leases::Leases(Bookkeeper &bookkeeper, loop::Deadlines &deadlines) : bookkeeper_(bookkeeper), deadlines_(deadlines) {
    bookkeeper.before_beat([this] { report_heard(); });
    bookkeeper.when_leases_are_wanted([this](const std::string &token) { write(token); });
}

void Leases::tracked(const Owner &owner, std::string_view lease) {
    const auto members = json::members(lease, limits(lease), 100, json::DuplicateKeys::kept);
    if (!members) return;
    Lease out;
    for (const auto &[name, value] : *members) {
        if (name == "room") out.room = json::unquote(value).value_or("");
        if (name == "state") out.state = value;
        if (name == "ttl") std::from_chars(value.data(), value.data() + value.size(), out.ttl);
        if (name == "announce") out.announce = value == "true";
    }
    out.tracked_at = deadlines_.now();
    if (!out.room.empty() && !out.state.empty()) set(owner, std::move(out));
}

void Leases::resumed(const Owner &owner, std::string_view leases) {
    const auto list = json::elements(leases, limits(leases));
    if (!list) return;
    for (const std::string_view lease : *list) tracked(owner, lease);
}

void Leases::set(const Owner &owner, Lease lease) {
    Held &held = sessions_[owner.key];
    held.generation = owner.generation;
    held.user = owner.user;
    held.heard_at = held.reported_at = deadlines_.now();
    const auto found = std::find_if(held.leases.begin(), held.leases.end(), [&](const Lease &one) { return one.room == lease.room; });
    if (found == held.leases.end()) {
        held.leases.push_back(std::move(lease));
    } else {
        lease.announce |= found->announce;
        *found = std::move(lease);
    }
    find_ttl(held);
}

void Leases::find_ttl(Held &held) {
    held.ttl = 0;
    for (const Lease &lease : held.leases)
        if (lease.ttl > 0 && (held.ttl == 0 || lease.ttl < held.ttl)) held.ttl = lease.ttl;
}

bool Leases::erase(const PublicId &key, std::string_view room) {
    const auto found = sessions_.find(key);
    if (found == sessions_.end()) return false;
    const bool had = std::erase_if(found->second.leases, [&](const Lease &lease) { return lease.room == room; }) > 0;
    if (found->second.leases.empty()) {
        sessions_.erase(found);
    } else {
        find_ttl(found->second);
    }
    return had;
}

void Leases::untracked(const PublicId &key, std::string_view room) {
    const auto found = sessions_.find(key);
    if (found == sessions_.end()) return;
    const std::uint64_t generation = found->second.generation;
    // It may be on its way to the database as one that is there.
    if (erase(key, room) && writing()) bookkeeper_.untracked(key, generation, room);
}

void Leases::left(const PublicId &key, std::string_view room) { erase(key, room); }

void Leases::ended(const PublicId &key) { sessions_.erase(key); }

// What is said often is reported seldom: at once when a quarter of the ttl has passed since the last report, else by a later beat.
void Leases::heard(const PublicId &key) {
    if (sessions_.empty()) return;
    const auto found = sessions_.find(key);
    if (found == sessions_.end() || found->second.ttl == 0) return;
    Held &held = found->second;
    held.heard_at = deadlines_.now();
    if (held.heard_at - held.reported_at >= std::max(held.ttl / 4, kOftenest)) return report(key, held, held.heard_at);
    if (std::exchange(held.unreported, true)) return;
    heard_.push_back(key);
}

void Leases::report(const PublicId &key, Held &held, std::int64_t now) {
    bookkeeper_.active(key, held.generation, now - held.heard_at);
    held.reported_at = now;
}

void Leases::report_heard() {
    const std::int64_t now = deadlines_.now();
    std::erase_if(heard_, [&](const PublicId &key) {
        const auto found = sessions_.find(key);
        if (found == sessions_.end()) return true;
        Held &held = found->second;
        const bool news = held.ttl > 0 && held.heard_at > held.reported_at;
        if (news && now - held.reported_at < held.ttl / 8) return false;
        if (news) report(key, held, now);
        held.unreported = false;
        return true;
    });
}

// The database has lost them, or never had any of this bridge. They go by slices, each when the one before is stored, so that what
// becomes of sessions meanwhile waits behind few of them; it is said behind what it ends.
void Leases::write(const std::string &token) {
    if (writing()) return;
    written_ = std::numeric_limits<std::uint64_t>::max();
    std::vector<PublicId> keys;
    keys.reserve(sessions_.size());
    for (const auto &[key, held] : sessions_) keys.push_back(key);
    if (!keys.empty()) log::info("leases are written to the database", {{"sessions", keys.size()}});
    write_slice(std::move(keys), token);
}

std::uint64_t Leases::write(const PublicId &key, const Held &held, const Lease &lease, bool fresh, std::size_t &bytes) {
    const std::string text = R"({"room":)" + json::quote(lease.room) + R"(,"userId":)" + json::quote(held.user) + R"(,"state":)" +
                             lease.state + R"(,"ttl":)" + (lease.ttl > 0 ? std::to_string(lease.ttl) : "null") + R"(,"announce":)" +
                             (lease.announce ? "true" : "false") + R"(,"age":)" + std::to_string(deadlines_.now() - lease.tracked_at) +
                             (fresh ? R"(,"fresh":true})" : "}");
    bytes += text.size();
    return bookkeeper_.present(key, held.generation, text);
}

std::uint64_t Leases::write_unstored(const PublicId &key, std::string_view rooms) {
    const auto found = sessions_.find(key);
    const auto list = json::elements(rooms, limits(rooms));
    if (found == sessions_.end() || !list) return 0;
    std::uint64_t last = 0;
    std::size_t bytes = 0;
    for (const std::string_view element : *list) {
        const auto room = json::unquote(element);
        for (const Lease &lease : found->second.leases)
            if (room && lease.room == *room) last = write(key, found->second, lease, true, bytes);
    }
    return last;
}

void Leases::write_slice(std::vector<PublicId> keys, std::string token) {
    std::uint64_t last = 0;
    std::size_t bytes = 0;
    while (!keys.empty() && bytes < kSliceBytes) {
        const PublicId key = keys.back();
        keys.pop_back();
        const auto found = sessions_.find(key);
        if (found == sessions_.end()) continue;
        for (const Lease &lease : found->second.leases) last = write(key, found->second, lease, false, bytes);
    }
    if (keys.empty()) {
        written_ = bookkeeper_.leases_complete(token);
        return;
    }
    wait_for_slice(last, std::move(keys), std::move(token));
}

// When the database does not take it now, this writing ends: the slice waits in the bookkeeper, and once it is stored the database still
// wants what is missing.
void Leases::wait_for_slice(std::uint64_t last, std::vector<PublicId> keys, std::string token) {
    bookkeeper_.when_stored(last, [this, last, keys = std::move(keys), token = std::move(token)](bool stored) mutable {
        if (stored) return write_slice(std::move(keys), std::move(token));
        written_ = last;
    });
}

}  // namespace bridge::handlers
