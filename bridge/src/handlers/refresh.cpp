// auth:refresh: a newer token of the same user on a live connection. SQL decides again about everything that the session's rights come
// from; then the session has the new claims, ends later, and has left what they do not allow. A token that is refused changes nothing.
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/log.hpp"
#include "handlers/authenticate.hpp"
#include "handlers/client.hpp"
#include "hub/evictions.hpp"

namespace bridge::handlers {

using codec::Inbound;

namespace {

// {"token":"…"}, the first argument.
Result<std::string> token_in(const Inbound &packet) {
    const Error wrong{Errc::bad_request, R"(the first argument must be {"token":"…"})"};
    const auto args = json::elements(packet.args);
    if (!args || args->empty()) return wrong;
    const auto first = json::parse((*args)[0]);
    if (!first || !first->is_object()) return wrong;
    const auto token = first->find("token");
    if (token == first->end() || !token->is_string() || token->get_ref<const std::string &>().empty()) return wrong;
    return token->get<std::string>();
}

}  // namespace

void Client::refresh(Namespace &nsp, Inbound packet, bool waited) {
    if (!waited) services_.metrics.messages_received(nsp.name, packet.event).Increment();
    const std::uint32_t serial = nsp.serial;
    const auto refused = [&](const Error &error) {
        refuse(packet, error);
        done(serial);
    };
    const auto token = token_in(packet);
    if (!token) return refused(token.error());
    const auto again = [&services = services_, id = id_, serial, packet]() mutable {
        Client *client = services.clients.find(id);
        Namespace *found = client != nullptr ? client->find(serial) : nullptr;
        if (found != nullptr && found->state == State::connected) client->refresh(*found, std::move(packet), true);
    };
    if (!waited && await_key(services_, *token, again)) return;

    auto claims = handlers::authenticate(services_, *token);
    if (!claims) return refused(claims.error());
    const hub::Session *session = services_.hub.find(nsp.session);
    if (session == nullptr) return;  // its socket is just going
    if ((*claims)->user_id != session->claims->user_id) {
        services_.metrics.authentication_errors(auth::reason(auth::Failure::forbidden)).Increment();
        return refused(Error{Errc::forbidden, "the token is another user's"});
    }
    packet.args.clear();
    after_leaves(nsp, [packet = std::move(packet), claims = std::move(*claims)](Client &client, Namespace &there, bool stored) mutable {
        if (stored) return client.ask_refresh(there, std::move(packet), std::move(claims));
        client.refuse(packet, Error{Errc::unavailable, "the database is not available, try again"});
        client.done(there.serial);
    });
}

void Client::ask_refresh(Namespace &nsp, Inbound packet, ClaimsPtr claims) {
    const hub::Session *session = services_.hub.find(nsp.session);
    if (session == nullptr) return;
    const Trace trace = new_trace(packet.traceparent);
    std::string asked = context(*claims, session->key, session->socket_id, nsp.name, trace);
    asked.pop_back();
    asked += R"(,"generation":)" + std::to_string(nsp.generation) + R"(,"rooms":[)";
    for (const std::string &room : services_.hub.rooms_of(nsp.session)) {
        if (asked.back() != '[') asked += ',';
        json::append_quoted(asked, room);
    }
    asked += "]}";
    services_.queries.refresh(nsp.name, std::move(asked), trace,
                              [&services = services_, id = id_, serial = nsp.serial, packet = std::move(packet), claims = std::move(claims),
                               trace](Result<db::RefreshAnswer> answer) {
                                  if (Client *client = services.clients.find(id))
                                      client->refresh_answered(serial, packet, trace, claims, std::move(answer));
                              });
}

void Client::refresh_answered(std::uint32_t serial, const Inbound &packet, const Trace &trace, const ClaimsPtr &claims,
                              Result<db::RefreshAnswer> answered) {
    Namespace *nsp = find(serial);
    if (ending_ || nsp == nullptr || nsp->state != State::connected) return;
    // It may have been revoked while SQL was asked, and the hub knows only of tokens that sessions have.
    if (answered && services_.revocations.revoked(*claims)) answered = auth::Verdict(auth::Failure::revoked).error();
    if (!answered) {
        const Errc code = answered.error().code;
        if (code == Errc::unauthenticated || code == Errc::forbidden) {
            services_.metrics.authentication_errors(auth::reason(auth::Failure::forbidden)).Increment();
        }
        refuse(packet, answered.error(), trace.correlation_id);
        return done(serial);
    }
    services_.hub.set_claims(nsp->session, claims);
    if (request_claims_ && request_claims_->user_id == claims->user_id) request_claims_ = claims;
    for (const std::string &room : answered->joined) join_given(*nsp, room, answered->position, trace);
    for (const std::string &room : answered->left) {
        if (!services_.hub.leave(nsp->session, room)) continue;
        hub::Eviction eviction;
        eviction.room = room;
        eviction.reason = "not allowed by the new token";
        eviction.position = answered->position.position;
        services_.hub.tell_evicted(nsp->session, eviction, services_.hub.head());
    }
    expire_with(*nsp, *claims);
    log::debug("a session has a newer token", {{"namespace", nsp->name},
                                               {"left", answered->left.size()},
                                               {"correlationId", trace.correlation_id},
                                               log::given("traceparent", trace.traceparent)});
    std::string ack = R"([{"ok":true,"expiresAt":)";
    ack += claims->expires_at ? '"' + iso8601(*claims->expires_at - services_.verifier.leeway()) + '"' : "null";
    answer(*nsp, packet, ack + "}]");
    done(serial);
}

void Client::expire_with(Namespace &nsp, const Claims &claims) {
    nsp.expires_at = 0;
    if (claims.expires_at) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*claims.expires_at - services_.clock.wall());
        nsp.expires_at = services_.deadlines.now() + std::max<std::int64_t>(left.count(), 0);
    }
    arm_deadline();
}

}  // namespace bridge::handlers
