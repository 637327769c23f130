// Oldest entries go first; each one that goes raises the floor.
#include "hub/replay.hpp"

#include <algorithm>

namespace bridge::hub {

Event Replay::Entry::event() const {
    const std::string_view all = text;
    Event event;
    event.position = position;
    event.id = id;
    event.rooms = rooms();
    event.name = all.substr(rooms_end, name_end - rooms_end);
    event.headers = all.substr(name_end, headers_end - name_end);
    event.payload = all.substr(headers_end);
    event.attachments = attachments;
    return event;
}

std::size_t Replay::cost(const Entry &entry) {
    std::size_t bytes = sizeof(Entry) + entry.text.size();
    for (const std::string &attachment : entry.attachments) bytes += sizeof attachment + attachment.size();
    return bytes;
}

void Replay::remember(const Event &event, bool by_reference) {
    Entry &entry = entries_.emplace_back();
    entry.position = event.position;
    entry.id = event.id;
    entry.by_reference = by_reference;
    entry.text.reserve(event.rooms.size() + event.name.size() + event.headers.size() + event.payload.size());
    entry.text.append(event.rooms);
    entry.rooms_end = static_cast<std::uint32_t>(entry.text.size());
    entry.text.append(event.name);
    entry.name_end = static_cast<std::uint32_t>(entry.text.size());
    entry.text.append(event.headers);
    entry.headers_end = static_cast<std::uint32_t>(entry.text.size());
    if (!by_reference) {
        entry.text.append(event.payload);
        entry.attachments.assign(event.attachments.begin(), event.attachments.end());
    }
    bytes_ += cost(entry);
    while (bytes_ > max_bytes_ && !entries_.empty()) {
        bytes_ -= cost(entries_.front());
        floor_ = entries_.front().position;
        entries_.pop_front();
    }
}

void Replay::clear(Position head) {
    entries_.clear();
    bytes_ = 0;
    floor_ = head;
}

std::deque<Replay::Entry>::const_iterator Replay::after(Position position) const {
    return std::upper_bound(entries_.begin(), entries_.end(), position, [](Position p, const Entry &entry) { return p < entry.position; });
}

}  // namespace bridge::hub
