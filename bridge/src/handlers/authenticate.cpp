#include "handlers/authenticate.hpp"

#include "base/json.hpp"

namespace bridge::handlers {

Result<ClaimsPtr> authenticate(Services &services, std::string_view token) {
    // Without a key nobody can be told apart: then a token says nothing either.
    const bool nobody = token.empty() || !services.verifier.has_keys();
    if (nobody && services.options.allow_anonymous) return std::make_shared<const Claims>();
    const auth::Verdict verdict = services.verifier.verify(token);
    if (!verdict) {
        services.metrics.authentication_errors(auth::reason(verdict.failure())).Increment();
        return verdict.error();
    }
    if (services.revocations.revoked(*verdict.claims())) {
        services.metrics.authentication_errors("revoked").Increment();
        return Error{Errc::unauthenticated, "the token has been revoked"};
    }
    return verdict.claims();
}

std::string context(const Claims *claims, const Asker &asker, std::string_view correlation_id) {
    std::string out = R"({"claims":)" + (claims == nullptr ? std::string("null") : claims->json) + R"(,"userId":)";
    out += claims == nullptr || claims->user_id.empty() ? std::string("null") : json::quote(claims->user_id);
    const auto add = [&out](std::string_view name, std::string_view value) {
        if (value.empty()) return;
        out.append(",\"").append(name).append("\":");
        json::append_quoted(out, value);
    };
    add("ip", asker.ip);
    add("transport", asker.transport);
    add("correlationId", correlation_id);
    add("traceparent", asker.traceparent);
    return out + "}";
}

}  // namespace bridge::handlers
