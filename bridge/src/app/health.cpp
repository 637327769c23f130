// See health.hpp. "down": no connection to PostgreSQL; "degraded": no dispatcher, catching up, or draining.
#include "app/health.hpp"

#include <array>

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace bridge::app {

namespace {

// `keys` of the object at `from`, where they are numbers; an absent object gives none.
json::Value numbers(const json::Value &status, const char *from, std::initializer_list<const char *> keys) {
    json::Value out = json::Value::object();
    const auto found = status.find(from);
    if (found == status.end() || !found->is_object()) return out;
    for (const char *key : keys) {
        if (const auto value = found->find(key); value != found->end() && value->is_number()) out[key] = *value;
    }
    return out;
}

// pulse.status(), or an empty object.
json::Value status_of(const Facts &facts) {
    if (facts.status) {
        if (auto parsed = json::parse(*facts.status); parsed && parsed->is_object()) return std::move(*parsed);
    }
    return json::Value::object();
}

}  // namespace

http::Reply health(const Facts &facts) {
    const json::Value status = status_of(facts);
    const bool down = !facts.listener.connected || !facts.pools_up;
    const bool degraded = down || !facts.listener.reason.empty() || facts.draining;

    json::Value dispatcher = numbers(status, "dispatcher", {"lagEvents"});
    dispatcher["alive"] = facts.listener.dispatcher;
    if (!dispatcher.contains("lagEvents") && facts.listener.listening) dispatcher["lagEvents"] = facts.listener.lag_events;

    json::Value checks = json::Value::object();
    checks["postgres"] = {
        {"listener", facts.listener.connected}, {"pools", facts.pools_up}, {"waitingStatements", facts.waiting_statements}};
    checks["dispatcher"] = std::move(dispatcher);
    checks["presence"] = numbers(status, "presence", {"count"});
    checks["queue"] = numbers(status, "queue", {"available", "executing", "retryable", "dead"});
    checks["connections"] = {{"websocket", facts.websockets}, {"polling", facts.polling}, {"sse", facts.sse}, {"poll", facts.poll}};

    json::Value body = json::Value::object();
    body["status"] = down ? "down" : degraded ? "degraded" : "ok";
    body["checks"] = std::move(checks);
    http::Reply reply;
    reply.status = down ? 503 : 200;
    reply.body = body.dump();
    return reply;
}

http::Reply ready(const Facts &facts, bool for_operators) {
    std::string reason = facts.listener.reason;
    if (facts.draining) {
        reason = "shutting down";
    } else if (reason.empty() && !facts.pools_up) {
        reason = "no connection to PostgreSQL for statements";
    }
    http::Reply reply;
    json::Value body = json::Value::object();
    body["ready"] = reason.empty();
    if (!reason.empty()) {
        reply.status = 503;
        body["reason"] = reason;
    }
    if (for_operators) {
        if (!reason.empty() && !facts.listener.detail.empty() && facts.listener.detail != reason) body["detail"] = facts.listener.detail;
        const json::Value status = status_of(facts);
        if (const auto problems = status.find("problems"); problems != status.end() && problems->is_array() && !problems->empty())
            body["problems"] = *problems;
    }
    reply.body = body.dump();
    return reply;
}

}  // namespace bridge::app
