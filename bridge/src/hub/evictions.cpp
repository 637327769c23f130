// Payloads are parsed here alone: system events are few.
#include "hub/evictions.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/log.hpp"
#include "hub/room_list.hpp"

namespace bridge::hub {

namespace {

std::string text(const json::Value &object, const char *key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<double> number(const json::Value &object, const char *key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}

}  // namespace

bool is_system(const Event &event) {
    if (event.rooms.find(kSystemRoom) == std::string_view::npos) return false;
    bool found = false;
    each_room(event.rooms, [&](std::string_view room) {
        found = room == kSystemRoom;
        return !found;
    });
    return found;
}

std::optional<Eviction> Eviction::read(const Event &event) {
    const bool revocation = event.name == R"("pulse:revoke")";
    if (!revocation && event.name != R"("pulse:evict")") return std::nullopt;
    const auto payload = json::parse(event.payload);
    Eviction out;
    out.position = event.position;
    out.revocation = revocation;
    if (payload && payload->is_object()) {
        out.room = text(*payload, "room");
        out.user = text(*payload, "userId");
        out.jti = text(*payload, "jti");
        out.revoked_at = number(*payload, "revokedAt").value_or(0);
        out.reason = text(*payload, "reason");
    }
    if (revocation ? out.user.empty() && out.jti.empty() : out.room.empty()) {
        log::error("a system event has not the agreed form", {{"position", event.position.value}});
        return std::nullopt;
    }
    return out;
}

bool Eviction::concerns(const Claims &claims) const {
    if (!user.empty() && user != claims.user_id) return false;
    if (!revocation) return true;
    if (!jti.empty()) return jti == claims.jti;
    if (revoked_at == 0) return true;
    const auto token = json::parse(claims.json, {.max_bytes = claims.json.size()});
    if (!token || !token->is_object()) return true;
    const auto issued_at = number(*token, "iat");
    return !issued_at || *issued_at <= revoked_at;
}

std::size_t Evictions::cost(const Eviction &eviction) {
    return sizeof eviction + eviction.room.size() + eviction.user.size() + eviction.jti.size() + eviction.reason.size();
}

void Evictions::remember(Eviction eviction) {
    bytes_ += cost(eviction);
    entries_.push_back(std::move(eviction));
    while (bytes_ > max_bytes_ && !entries_.empty()) {
        bytes_ -= cost(entries_.front());
        floor_ = entries_.front().position;
        entries_.pop_front();
    }
}

void Evictions::clear(Position head) {
    entries_.clear();
    bytes_ = 0;
    floor_ = head;
}

std::deque<Eviction>::const_iterator Evictions::after(Position position) const {
    return std::upper_bound(entries_.begin(), entries_.end(), position, [](Position p, const Eviction &e) { return p < e.position; });
}

}  // namespace bridge::hub
