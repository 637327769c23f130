// The columns: position, id, rooms, name, headers, payload, attachments (JSON array of hex strings, or null).
#include "db/event_row.hpp"

#include <charconv>

#include "base/json.hpp"

namespace bridge::db {

namespace {

std::uint64_t number(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

// `["00ff",""]` → bytes; nothing else can be in the column
std::vector<std::string> attachments_of(std::string_view text) {
    std::vector<std::string> out;
    auto list = json::elements(text, {.max_bytes = 256 * 1024 * 1024});
    if (!list) return out;
    for (std::string_view element : *list) {
        if (element.size() < 2) continue;
        element = element.substr(1, element.size() - 2);
        std::string bytes;
        bytes.reserve(element.size() / 2);
        for (std::size_t i = 0; i + 1 < element.size(); i += 2) {
            bytes += static_cast<char>(hex_digit(element[i]) * 16 + hex_digit(element[i + 1]));
        }
        out.push_back(std::move(bytes));
    }
    return out;
}

}  // namespace

hub::Event event_of(const Rows &rows, std::vector<std::string> &attachments) {
    attachments.clear();
    if (!rows.is_null(0, 6)) attachments = attachments_of(rows.text(0, 6));
    hub::Event event;
    event.position.value = number(rows.text(0, 0));
    event.id = number(rows.text(0, 1));
    event.rooms = rows.text(0, 2);
    event.name = rows.text(0, 3);
    event.headers = rows.is_null(0, 4) ? std::string_view("{}") : rows.text(0, 4);
    event.payload = rows.is_null(0, 5) ? std::string_view("null") : rows.text(0, 5);
    event.attachments = attachments;
    return event;
}

}  // namespace bridge::db
