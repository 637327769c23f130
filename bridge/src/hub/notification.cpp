// Splits at single separators; numbers are plain decimals. Field contents are JSON of the dispatcher's own making and stay raw.
#include "hub/notification.hpp"

#include <charconv>

namespace bridge::hub {

namespace {

Error malformed(const char *what) { return {Errc::internal, what, {}}; }

// The text up to `separator`, which is taken too; false when there is none.
bool take(std::string_view &in, char separator, std::string_view &out) {
    const std::size_t at = in.find(separator);
    if (at == std::string_view::npos) return false;
    out = in.substr(0, at);
    in.remove_prefix(at + 1);
    return true;
}

bool number(std::string_view text, std::uint64_t &out) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
    return failure == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool is_epoch(std::string_view text) {
    if (text.size() != 16) return false;
    for (char c : text) {
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    }
    return true;
}

bool is_well_formed(const Event &event) {
    return event.rooms[0] == '[' && event.name.size() >= 2 && event.name[0] == '"' && !event.headers.empty() && event.headers[0] == '{';
}

}  // namespace

Result<Notification> Notification::parse(std::string_view payload) {
    Notification made;
    std::string_view line;
    if (take(payload, '\n', line)) {
        made.rest_ = payload;
        if (payload.empty()) return malformed("notification ends in a newline");
    } else {
        line = payload;
        made.wake_up_ = true;
    }
    NotificationHeader &header = made.header_;
    std::string_view first, last;
    if (line.size() > 18 && line.substr(16, 3) == " ~ ") {
        header.ephemeral = true;
        header.epoch = line.substr(0, 16);
        line.remove_prefix(19);
        if (!is_epoch(header.epoch) || !take(line, ' ', first) || !number(first, header.sequence) || !number(line, header.dropped) ||
            made.wake_up_) {
            return malformed("malformed header of ephemeral events");
        }
        return made;
    }
    if (!take(line, ' ', header.epoch) || !take(line, ' ', first) || !take(line, ' ', last) || !is_epoch(header.epoch) ||
        !number(first, header.first.value) || !number(last, header.last.value) || !number(line, header.sequence)) {
        return malformed("malformed notification header");
    }
    if (header.first > header.last || header.first.value == 0) return malformed("notification with an impossible range");
    made.previous_ = Position{header.first.value - 1};
    return made;
}

Result<std::optional<EventLine>> Notification::next() {
    if (rest_.empty()) return std::optional<EventLine>();
    std::string_view line;
    if (take(rest_, '\n', line)) {
        if (rest_.empty()) return malformed("notification ends in a newline");
    } else {
        line = rest_;
        rest_ = {};
    }
    EventLine found;
    Event &event = found.event;
    if (header_.ephemeral) {
        event.ephemeral = true;
        if (!take(line, '\t', event.rooms) || !take(line, '\t', event.name) || !take(line, '\t', event.headers) || line.empty() ||
            line.find('\t') != std::string_view::npos || event.rooms.empty() || !is_well_formed(event)) {
            return malformed("malformed ephemeral event");
        }
        event.payload = line;
        return std::optional<EventLine>(found);
    }
    std::string_view position, id;
    if (!take(line, '\t', position) || !take(line, '\t', id) || !take(line, '\t', event.rooms) || !take(line, '\t', event.name) ||
        !take(line, '\t', event.headers) || line.find('\t') != std::string_view::npos || !number(position, event.position.value) ||
        !number(id, event.id)) {
        return malformed("malformed event line");
    }
    event.payload = line;
    if (event.position <= previous_ || event.position > header_.last) return malformed("event line out of order");
    previous_ = event.position;
    found.by_reference = event.payload.empty();
    found.unknown_rooms = event.rooms.empty();
    if (found.unknown_rooms) {
        if (!found.by_reference || !event.name.empty() || !event.headers.empty()) return malformed("event line without rooms");
    } else if (!is_well_formed(event)) {
        return malformed("malformed event line");
    }
    return std::optional<EventLine>(found);
}

}  // namespace bridge::hub
