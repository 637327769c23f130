#include "handlers/leases.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"

namespace bridge::handlers {

namespace {

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
    if (held.heard_at - held.reported_at >= held.ttl / 4) return report(key, held, held.heard_at);
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

// The database has lost them, or never had any of this bridge. What becomes of a session meanwhile is said behind it.
void Leases::write(const std::string &token) {
    if (writing()) return;
    const std::int64_t now = deadlines_.now();
    for (const auto &[key, held] : sessions_) {
        for (const Lease &lease : held.leases) {
            bookkeeper_.present(key, held.generation,
                                R"({"room":)" + json::quote(lease.room) + R"(,"userId":)" + json::quote(held.user) + R"(,"state":)" +
                                    lease.state + R"(,"ttl":)" + (lease.ttl > 0 ? std::to_string(lease.ttl) : "null") + R"(,"announce":)" +
                                    (lease.announce ? "true" : "false") + R"(,"age":)" + std::to_string(now - lease.tracked_at) + "}");
        }
    }
    written_ = bookkeeper_.leases_complete(token);
    if (!sessions_.empty()) log::info("leases are written to the database", {{"sessions", sessions_.size()}});
}

}  // namespace bridge::handlers
