#include "handlers/authenticate.hpp"

#include <utility>

#include "base/json.hpp"

namespace bridge::handlers {

Result<ClaimsPtr> authenticate(Services &services, std::string_view token, Use use) {
    // Without a key nobody can be told apart: then a token says nothing either.
    const bool nobody = token.empty() || !services.verifier.has_keys();
    if (nobody && services.options.allow_anonymous) return std::make_shared<const Claims>();
    const auth::Verdict verdict = services.verifier.verify(token);
    if (!verdict) {
        services.metrics.authentication_errors(auth::reason(verdict.failure())).Increment();
        return verdict.error();
    }
    if (verdict.claims()->reconnect != (use == Use::reconnect)) {
        services.metrics.authentication_errors(auth::reason(auth::Failure::audience)).Increment();
        Error other = auth::Verdict(auth::Failure::audience).error();
        other.detail = "the token is for another use";
        return other;
    }
    if (services.revocations.revoked(*verdict.claims())) {
        services.metrics.authentication_errors(auth::reason(auth::Failure::revoked)).Increment();
        return auth::Verdict(auth::Failure::revoked).error();
    }
    return verdict.claims();
}

bool await_key(Services &services, std::string_view token, std::function<void()> then) {
    return services.await_keys && services.verifier.lacks_key(token) && services.await_keys(std::move(then));
}

std::string Context::json() const {
    std::string out = R"({"claims":)" + (claims == nullptr || claims->json.empty() ? std::string("null") : claims->json) + R"(,"userId":)";
    out += claims == nullptr || claims->user_id.empty() ? std::string("null") : bridge::json::quote(claims->user_id);
    const auto add = [&out](std::string_view name, std::string_view value) {
        if (value.empty()) return;
        out.append(",\"").append(name).append("\":");
        bridge::json::append_quoted(out, value);
    };
    add("sessionId", session_id);
    add("socketId", socket_id);
    add("namespace", nsp);
    add("ip", ip);
    add("transport", transport);
    add("correlationId", correlation_id);
    add("traceparent", traceparent);
    return out + "}";
}

std::string context(const Claims *claims, const Asker &asker, std::string_view correlation_id) {
    const Context all{
        .claims = claims, .ip = asker.ip, .transport = asker.transport, .correlation_id = correlation_id, .traceparent = asker.traceparent};
    return all.json();
}

}  // namespace bridge::handlers
