// Oldest entries go first; each one that goes raises the floor.
#include "hub/replay.hpp"

#include <algorithm>

#include "hub/room_list.hpp"

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
    while (bytes_ > max_bytes_ && !entries_.empty()) drop_oldest();
}

void Replay::drop_oldest() {
    const Entry &oldest = entries_.front();
    while (!links_.empty() && links_.front().entry == first_entry_) {
        last_link_.erase(links_.front().hash, static_cast<std::uint32_t>(first_link_) & kLinkMask);
        links_.pop_front();
        ++first_link_;
        bytes_ -= kLinkCost;
    }
    bytes_ -= cost(oldest);
    floor_ = oldest.position;
    entries_.pop_front();
    ++first_entry_;
}

void Replay::clear(Position head) {
    first_entry_ += entries_.size();
    indexed_to_ = first_entry_;
    entries_.clear();
    links_.clear();
    last_link_ = IndexTable();
    bytes_ = 0;
    floor_ = head;
}

void Replay::build_index() {
    for (indexed_to_ = std::max(indexed_to_, first_entry_); indexed_to_ < first_entry_ + entries_.size(); ++indexed_to_) {
        each_room(entries_[indexed_to_ - first_entry_].rooms(), [this](std::string_view room) {
            const std::uint32_t hash = IndexTable::hash(room);
            const std::uint64_t number = first_link_ + links_.size();
            const std::uint32_t before = last_link_.find(hash, [](std::uint32_t) { return true; });
            std::uint32_t back = 0;
            if (before != IndexTable::kNone) {
                back = static_cast<std::uint32_t>(number - link_number(before));
                last_link_.erase(hash, before);
            }
            last_link_.insert(hash, static_cast<std::uint32_t>(number) & kLinkMask);
            links_.push_back({indexed_to_, hash, back});
            bytes_ += kLinkCost;
            return true;
        });
    }
}

void Replay::find(std::span<const Wish> wishes, std::vector<const Entry *> &found) {
    if (wishes.empty() || entries_.empty()) return;
    Position lowest = wishes.front().after;
    for (const Wish &wish : wishes) lowest = std::min(lowest, wish.after);
    const auto from =
        std::upper_bound(entries_.begin(), entries_.end(), lowest, [](Position p, const Entry &entry) { return p < entry.position; });
    if (static_cast<std::size_t>(entries_.end() - from) <= kWalk) {
        for (auto entry = from; entry != entries_.end(); ++entry) found.push_back(&*entry);
        return;
    }
    build_index();
    const auto first_found = static_cast<std::ptrdiff_t>(found.size());
    for (const Wish &wish : wishes) {
        const std::uint32_t last = last_link_.find(IndexTable::hash(wish.room), [](std::uint32_t) { return true; });
        if (last == IndexTable::kNone) continue;
        for (std::uint64_t number = link_number(last);;) {
            const Link &link = links_[number - first_link_];
            const Entry &entry = entries_[link.entry - first_entry_];
            if (entry.position <= wish.after) break;
            found.push_back(&entry);
            if (link.back == 0 || link.back > number - first_link_) break;  // the one before has gone
            number -= link.back;
        }
    }
    std::sort(found.begin() + first_found, found.end(), [](const Entry *a, const Entry *b) { return a->position < b->position; });
    found.erase(std::unique(found.begin() + first_found, found.end()), found.end());
}

}  // namespace bridge::hub
