#include "handlers/system_events.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/log.hpp"
#include "handlers/client.hpp"
#include "handlers/subscriber.hpp"

namespace bridge::handlers {

namespace {

constexpr std::int64_t kRetry = 1'000;  // ms

Client *client_of(Services &services, SessionId id) {
    const hub::Session *session = services.hub.find(id);
    return session != nullptr ? services.clients.find(session->connection) : nullptr;
}

Subscriber *subscriber_of(Services &services, SessionId id) {
    const hub::Session *session = services.hub.find(id);
    return session != nullptr ? services.subscribers.find(session->connection) : nullptr;
}

}  // namespace

SystemEvents::Alarm::Alarm(SystemEvents &events) : Entry([](Entry &entry) { static_cast<Alarm &>(entry).owner.start(); }), owner(events) {}

SystemEvents::SystemEvents(Services &services) : services_(services), alarm_(*this) {
    services.hub.on_evicted([&services](SessionId session, std::string_view room, Position position) {
        if (Client *client = client_of(services, session)) return client->evicted(session, room, position);
        if (Subscriber *subscriber = subscriber_of(services, session)) subscriber->evicted();
    });
    services.hub.on_revoked([&services](SessionId session) {
        if (Client *client = client_of(services, session)) return client->revoke(session);
        if (Subscriber *subscriber = subscriber_of(services, session)) subscriber->revoke();
    });
    services.hub.on_system([this](const hub::Event &event) { handle(event); });
}

void SystemEvents::start() {
    services_.queries.revocations([this](Result<std::vector<db::Revocation>> answer) {
        if (!answer) {
            log::warn("revocations could not be read yet", {{"why", answer.error().detail}});
            services_.deadlines.arm(alarm_, services_.deadlines.now() + kRetry);
            return;
        }
        for (db::Revocation &one : *answer) {
            hub::Eviction revocation;
            revocation.revocation = true;
            revocation.user = std::move(one.user_id);
            revocation.jti = std::move(one.jti);
            revocation.revoked_at = one.revoked_at;
            services_.revocations.add(std::move(revocation), one.expires_at);
        }
    });
}

void SystemEvents::handle(const hub::Event &event) {
    if (event.name == R"("pulse:takeover")") return taken_over(event);
    services_.revocations.add(event);
}

void SystemEvents::taken_over(const hub::Event &event) {
    const auto payload = json::parse(event.payload);
    if (!payload || !payload->is_object() || !payload->contains("key") || !(*payload)["key"].is_string()) return;
    const auto generation = payload->find("generation");
    const auto key = PublicId::parse((*payload)["key"].get<std::string>());
    if (!key || generation == payload->end() || !generation->is_number_unsigned()) return;
    const SessionId session = services_.hub.find_key(*key);
    if (Client *client = client_of(services_, session)) client->taken_over(session, generation->get<std::uint64_t>());
}

}  // namespace bridge::handlers
