#include "codec/poll.hpp"

#include "base/json.hpp"

namespace bridge::codec::poll {

std::string line(const native::Event &event, std::string_view cursor) {
    std::string out;
    out.reserve(event.args.size() + event.name.size() + event.room.size() + 2 * cursor.size() + 64);
    out.append(cursor).append(1, ' ');
    native::append_event(out.append(1, '{'), event);
    return out.append("}\n");
}

Answer answer(std::string_view lines, std::string_view cursor, const Limits &limits) {
    Answer out;
    out.cursor = cursor;
    out.body.reserve(std::min(lines.size(), limits.bytes) + 128);
    out.body = R"({"events":[)";
    while (!lines.empty()) {
        const std::size_t space = lines.find(' '), end = lines.find('\n');
        if (space == std::string_view::npos || end == std::string_view::npos) break;  // line() wrote something else
        const std::string_view event = lines.substr(space + 1, end - space - 1);
        if (out.events > 0 && (out.events >= limits.events || out.body.size() + event.size() > limits.bytes)) break;
        if (out.events++ > 0) out.body += ',';
        out.body.append(event);
        out.cursor = lines.substr(0, space);
        lines.remove_prefix(end + 1);
    }
    if (lines.empty()) out.cursor = cursor;
    out.body += R"(],"cursor":)";
    json::append_quoted(out.body, out.cursor);
    out.body += '}';
    return out;
}

std::string must_refetch(std::string_view reason, std::string_view cursor) {
    const ErrorInfo &row = info(Errc::must_refetch);
    return R"({"error":{"code":)" + json::quote(row.code) +
           R"(,"message":"what happened since the cursor cannot be told completely: read the state anew","reason":)" + json::quote(reason) +
           R"(},"cursor":)" + json::quote(cursor) + "}";
}

}  // namespace bridge::codec::poll
