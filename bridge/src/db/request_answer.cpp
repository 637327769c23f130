// Payloads and bodies leave byte for byte as the function gave them, so only slices are looked at.
#include "db/request_answer.hpp"

#include <charconv>

#include "base/json.hpp"

namespace bridge::db {

namespace {

constexpr json::Limits kLimits{.max_bytes = std::size_t{1} << 30, .max_depth = 10'000};

using Members = std::vector<json::Member>;

// Raw; `null` when it is missing.
std::string_view raw(const Members &members, std::string_view key) {
    for (const auto &[name, value] : members) {
        if (name == key) return value;
    }
    return "null";
}

std::string text(const Members &members, std::string_view key) {
    const std::string_view value = raw(members, key);
    return value.starts_with('"') ? json::unquote(value).value_or("") : std::string();
}

template <class Number>
std::optional<Number> number(const Members &members, std::string_view key) {
    const std::string_view value = raw(members, key);
    Number out{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
    if (error != std::errc() || end != value.data() + value.size()) return std::nullopt;
    return out;
}

std::vector<std::string> strings(std::string_view array) {
    std::vector<std::string> out;
    const auto elements = json::elements(array, kLimits);
    if (!elements) return out;
    for (const std::string_view element : *elements) {
        if (auto one = json::unquote(element)) out.push_back(std::move(*one));
    }
    return out;
}

std::optional<std::vector<FirstEvent>> first_events(std::string_view array) {
    std::vector<FirstEvent> out;
    const auto events = json::elements(array, kLimits);
    if (!events) return std::nullopt;
    for (const std::string_view event : *events) {
        const auto parts = json::members(event, kLimits, 10, json::DuplicateKeys::kept);
        if (!parts) return std::nullopt;
        FirstEvent first{std::string(raw(*parts, "event")), std::string(raw(*parts, "data"))};
        if (!first.event.starts_with('"')) return std::nullopt;
        out.push_back(std::move(first));
    }
    return out;
}

std::optional<StreamAnswer> stream(const Members &members) {
    StreamAnswer answer;
    auto position = Cursor::parse(text(members, "position"));
    auto first = first_events(raw(members, "first"));
    if (!position || !first || !raw(members, "rooms").starts_with('[')) return std::nullopt;
    answer.position = std::move(*position);
    answer.first = std::move(*first);
    answer.rooms = strings(raw(members, "rooms"));
    answer.events = strings(raw(members, "events"));
    answer.must_refetch = text(members, "mustRefetch");
    answer.recovered = raw(members, "recovered") == "true";
    answer.since.value = number<std::uint64_t>(members, "since").value_or(0);
    return answer;
}

std::optional<Response> response(const Members &members) {
    Response answer;
    const auto status = number<int>(members, "status");
    const auto headers = json::members(raw(members, "headers"), kLimits, 1'000, json::DuplicateKeys::kept);
    if (!status || *status < 200 || *status > 599 || !headers) return std::nullopt;
    answer.status = *status;
    for (const auto &[name, value] : *headers) {
        if (value.starts_with('[')) {
            for (std::string &one : strings(value)) answer.headers.emplace_back(name, std::move(one));
        } else {
            answer.headers.emplace_back(name, json::unquote(value).value_or(""));
        }
    }
    for (const auto &[name, value] : members) {
        if (name == "body") answer.body = value;
        if (name != "text") continue;
        auto unquoted = json::unquote(value);
        if (!unquoted) return std::nullopt;
        answer.body = std::move(*unquoted);
        answer.json = false;
    }
    return answer;
}

}  // namespace

std::optional<RequestAnswer> read_request_answer(std::string_view json) {
    const auto members = json::members(json, kLimits, 100, json::DuplicateKeys::kept);
    if (!members) return std::nullopt;
    const auto finish = [&](auto &&what) -> std::optional<RequestAnswer> {
        if (!what) return std::nullopt;
        RequestAnswer answer(std::move(*what));
        answer.method = text(*members, "method");
        answer.path = text(*members, "path");
        return answer;
    };
    const std::string kind = text(*members, "kind");
    if (kind == "stream") return finish(stream(*members));
    if (kind == "response") return finish(response(*members));
    return std::nullopt;
}

RequestAnswer failed_request(Error error, std::string_view context) {
    constexpr std::string_view kMark = "pulse route ";
    RequestAnswer answer(std::move(error));
    const std::size_t mark = context.rfind(kMark);
    if (mark == std::string_view::npos) return answer;
    context.remove_prefix(mark + kMark.size());
    const std::size_t space = context.find(' ');
    if (space == std::string_view::npos) return answer;
    answer.method = context.substr(0, space);
    context.remove_prefix(space + 1);
    answer.path = context.substr(0, context.find_first_of(" \n"));
    return answer;
}

}  // namespace bridge::db
