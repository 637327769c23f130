// A line ends at \n, \r or both, so neither may stand in a name, and data that holds one becomes several lines.
#include "codec/sse.hpp"

#include "base/json.hpp"
#include "codec/error_json.hpp"

namespace bridge::codec::sse {

namespace {

void append_data(std::string &out, std::string_view data) {
    for (;;) {
        const std::size_t end = data.find_first_of("\r\n");
        out.append("data: ").append(data.substr(0, end)).append(1, '\n');
        if (end == std::string_view::npos) return;
        const bool both = data[end] == '\r' && end + 1 < data.size() && data[end + 1] == '\n';
        data.remove_prefix(end + (both ? 2 : 1));
    }
}

void append_name(std::string &out, std::string_view literal) {
    std::string decoded;
    std::string_view name = literal;
    if (literal.find('\\') != std::string_view::npos) {
        if (auto text = json::unquote(literal)) decoded = std::move(*text);
        for (char &c : decoded) {
            if (c == '\r' || c == '\n' || c == '\0') c = ' ';
        }
        name = decoded;
    } else if (name.size() >= 2) {
        name = name.substr(1, name.size() - 2);
    }
    out.append("event: ").append(name).append(1, '\n');
}

}  // namespace

std::string hello(std::chrono::milliseconds retry, std::string_view cursor) {
    return "retry: " + std::to_string(retry.count()) + "\nid: " + std::string(cursor) + "\n\n";
}

std::string event(const Event &event) {
    std::string out;
    out.reserve(event.id.size() + event.name.size() + event.data.size() + 64);
    if (!event.id.empty()) out.append("id: ").append(event.id).append(1, '\n');
    append_name(out, event.name);
    if (event.without_attachments) out.append(": attachments omitted\n");
    append_data(out, event.data);
    out += '\n';
    return out;
}

std::string ping(std::string_view cursor) {
    std::string out = ": ping\n";
    if (!cursor.empty()) out.append("id: ").append(cursor).append(1, '\n');
    return out + '\n';
}

std::string must_refetch(std::string_view reason, std::string_view cursor) {
    const std::string data = R"({"reason":)" + json::quote(reason) + R"(,"position":)" + json::quote(cursor) + "}";
    return event({.name = R"("must-refetch")", .data = data, .id = cursor});
}

std::string error(const Error &error) {
    const std::string data = error_json(error);
    return event({.name = R"("error")", .data = data, .id = {}});
}

}  // namespace bridge::codec::sse
