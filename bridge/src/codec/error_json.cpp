// Keys in a fixed order, the code first.
#include "codec/error_json.hpp"

#include "base/json.hpp"

namespace bridge::codec {

std::string error_json(const Error &error, const ErrorDetails &details) {
    const ErrorInfo &row = info(error.code);
    std::string out = "{\"code\":";
    json::append_quoted(out, row.code);
    out += ",\"message\":";
    json::append_quoted(out, error.detail.empty() ? row.reason : std::string_view(error.detail));
    const auto text = [&out](std::string_view key, std::string_view value) {
        if (value.empty()) return;
        out += ",\"";
        out += key;
        out += "\":";
        json::append_quoted(out, value);
    };
    text("hint", error.hint);
    text("reason", error.reason);
    text("event", details.event);
    text("correlationId", details.correlation_id);
    if (details.retry_after) out += ",\"retryAfter\":" + std::to_string(*details.retry_after);
    if (!error.details.empty()) out += ',' + error.details;
    out += '}';
    return out;
}

std::string wrapped_error_json(const Error &error, const ErrorDetails &details) { return "{\"error\":" + error_json(error, details) + "}"; }

std::string connect_error_data(const Error &error) {
    const ErrorInfo &row = info(error.code);
    std::string out = "{\"code\":";
    json::append_quoted(out, row.code);
    out += row.reconnect ? ",\"retryable\":true" : ",\"retryable\":false";
    if (!error.reason.empty()) {
        out += ",\"reason\":";
        json::append_quoted(out, error.reason);
    }
    out += '}';
    return out;
}

}  // namespace bridge::codec
