#include "transport/listening.hpp"

#include <algorithm>
#include <utility>

#include "base/json.hpp"
#include "base/traceparent.hpp"
#include "codec/error_json.hpp"
#include "http/head.hpp"

namespace bridge::transport {

namespace {

constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMost = 100;

bool is_name(std::string_view name) {
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    return !name.empty() && name.size() <= kMaxName && std::none_of(name.begin(), name.end(), control) && json::valid_utf8(name);
}

Result<void> add(std::vector<std::string> &names, std::string_view name, const char *what) {
    if (!is_name(name)) return Error{Errc::invalid, std::string(what) + " has 1 to 255 bytes and no control characters"};
    if (std::find(names.begin(), names.end(), name) != names.end()) return {};
    if (names.size() >= kMost) return Error{Errc::invalid, "at most " + std::to_string(kMost) + " rooms and as many events can be named"};
    names.emplace_back(name);
    return {};
}

}  // namespace

Result<Listening> read_listening(const http::Request &request) {
    Listening out;
    for (const std::string_view room : request.params("room")) BRIDGE_CHECK(add(out.rooms, room, "a room's name"));
    for (std::string_view list : request.params("rooms")) {
        while (!list.empty()) {
            const std::size_t comma = list.find(',');
            BRIDGE_CHECK(add(out.rooms, list.substr(0, comma), "a room's name"));
            list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
        }
    }
    for (const std::string_view event : request.params("event")) BRIDGE_CHECK(add(out.events, event, "an event's name"));
    if (out.rooms.empty()) return Error{Errc::invalid, "no room is named", "add ?room=…, as often as you like, or ?rooms=…,…"};
    return out;
}

std::string token_of(const http::Request &request) {
    std::string token = request.bearer();
    if (token.empty()) token = request.cookie("pulse_token");
    return token;
}

std::string last_event_id(const http::Request &request) {
    std::string_view id = request.header("last-event-id");
    if (id.empty()) id = request.param("lastEventId").value_or("");
    if (id.empty()) id = request.param("last_event_id").value_or("");
    return std::string(http::is_text(id) ? id : "?");  // no cursor either
}

handlers::Asker asker(const http::Request &request, std::string_view transport) {
    const std::string_view trace = request.header("traceparent");
    return {request.ip, is_traceparent(trace) ? std::string(trace) : std::string(), transport};
}

std::string correlation_id(const http::Request &request) {
    constexpr std::size_t kMostBytes = 128;
    constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:";
    for (const std::string_view name : {"x-correlation-id", "x-request-id"}) {
        const std::string_view id = request.header(name);
        if (!id.empty() && id.size() <= kMostBytes && id.find_first_not_of(kLetters) == std::string_view::npos) return std::string(id);
    }
    return std::string(trace_id(request.header("traceparent")));
}

http::Reply failure(const Error &error, std::string_view correlation_id) {
    codec::ErrorDetails details;
    details.correlation_id = correlation_id;
    if (error.retry_after > 0) details.retry_after = error.retry_after;
    http::Reply reply;
    reply.status = info(error.code).http_status;
    reply.body = codec::wrapped_error_json(error, details);
    if (reply.status == 503 || error.retry_after > 0) {
        reply.headers.emplace_back("Retry-After", std::to_string(std::max<std::int64_t>(error.retry_after, 1)));
    }
    if (reply.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
    return reply;
}

void keep_little(http::Request &request) {
    std::vector<std::pair<std::string, std::string>> kept;
    for (auto &header : request.headers) {
        if (header.first == "origin" || header.first == "host") kept.push_back(std::move(header));
    }
    kept.shrink_to_fit();
    request.headers = std::move(kept);
    request.query = {};
    request.path = {};
    request.body = {};
}

}  // namespace bridge::transport
