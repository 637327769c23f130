#include "handlers/revocations.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace bridge::handlers {

double Revocations::now() const { return std::chrono::duration<double>(clock_.wall().time_since_epoch()).count(); }

void Revocations::add(const hub::Event &event) {
    auto revocation = hub::Eviction::read(event);
    if (!revocation || !revocation->revocation) return;
    const auto payload = json::parse(event.payload);
    if (!payload || !payload->is_object()) return;
    const auto expires = payload->find("expiresAt");
    add(std::move(*revocation),
        expires != payload->end() && expires->is_number() ? expires->get<double>() : std::numeric_limits<double>::infinity());
}

void Revocations::add(hub::Eviction revocation, double expires_at) {
    if (expires_at <= now()) return;
    List &list = revocation.jti.empty() ? users_ : tokens_;
    std::string name = revocation.jti.empty() ? revocation.user : revocation.jti;
    const auto [at, fresh] = list.try_emplace(std::move(name), Entry{revocation, expires_at});
    if (!fresh) {
        Entry &entry = at->second;
        if (revocation.revoked_at > entry.revocation.revoked_at) entry.revocation = std::move(revocation);
        entry.expires_at = std::max(entry.expires_at, expires_at);
    }
    if (size() < looked_at_) return;
    const auto over = [now = now()](const auto &one) { return one.second.expires_at <= now; };
    std::erase_if(users_, over);
    std::erase_if(tokens_, over);
    looked_at_ = std::max<std::size_t>(64, 2 * size());
}

bool Revocations::concerns(const List &list, const std::string &name, const Claims &claims) const {
    if (name.empty()) return false;
    const auto found = list.find(name);
    return found != list.end() && found->second.expires_at > now() && found->second.revocation.concerns(claims);
}

bool Revocations::revoked(const Claims &claims) const {
    return concerns(tokens_, claims.jti, claims) || concerns(users_, claims.user_id, claims);
}

}  // namespace bridge::handlers
