// An event as an event stream writes it, read back as the standard says a browser reads it: one event, with the name that was given and the
// data as it was but for the kind of its line ends; nothing in a name, data or reason makes a field or an event of its own. The input
// is the name's JSON, then after byte 0x00 the data.
#include <string>
#include <vector>

#include "base/json.hpp"
#include "check.hpp"
#include "codec/sse.hpp"

using namespace bridge;

namespace {

struct Dispatched {
    std::string name, data, id;
};

// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
std::vector<Dispatched> interpret(std::string_view stream) {
    std::vector<Dispatched> found;
    Dispatched event;
    std::string last_id;
    bool has_data = false;
    while (!stream.empty()) {
        const std::size_t end = stream.find_first_of("\r\n");
        CHECK(end != std::string_view::npos);
        const std::string_view line = stream.substr(0, end);
        stream.remove_prefix(end + (stream.substr(end).starts_with("\r\n") ? 2 : 1));
        if (line.empty()) {
            event.id = last_id;
            if (has_data) found.push_back(event);
            event = {};
            has_data = false;
            continue;
        }
        const std::size_t colon = line.find(':');
        const std::string_view field = line.substr(0, colon);
        std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
        if (value.starts_with(' ')) value.remove_prefix(1);
        if (field == "event") event.name = value;
        if (field == "data") {
            if (has_data) event.data += '\n';
            event.data += value;
            has_data = true;
        }
        if (field == "id" && value.find('\0') == std::string_view::npos) last_id = value;
    }
    return found;
}

std::string with_plain_line_ends(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
        out += text[i] == '\r' ? '\n' : text[i];
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view in = text(data, size);
    const std::string_view name = in.substr(0, in.find('\0'));
    const std::string_view payload = name.size() < in.size() ? in.substr(name.size() + 1) : std::string_view("1");
    constexpr std::string_view kCursor = "00000000000000e1:7";
    if (const auto given = json::unquote(name)) {
        const auto events =
            interpret(codec::sse::event({.name = name, .data = payload, .id = kCursor, .without_attachments = size % 2 == 0}));
        CHECK(events.size() == 1);
        std::string wanted = *given;
        for (char &c : wanted) c = c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
        CHECK(events[0].name == wanted && events[0].id == kCursor && events[0].data == with_plain_line_ends(payload));
    }
    if (!json::valid_utf8(payload)) return 0;
    const auto refetch = interpret(codec::sse::must_refetch(payload, kCursor));
    CHECK(refetch.size() == 1 && refetch[0].name == "must-refetch" && json::scan(refetch[0].data, {}));
    const auto error = interpret(codec::sse::error(Error{Errc::forbidden, std::string(payload), std::string(payload)}));
    CHECK(error.size() == 1 && error[0].name == "error" && json::scan(error[0].data, {}));
    CHECK(interpret(codec::sse::ping(kCursor)).empty());
    return 0;
}
