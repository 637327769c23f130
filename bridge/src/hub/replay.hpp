// The recent events in order of position, bounded in bytes. Closes the gap of a join: between the snapshot in which it was allowed
// and the moment it takes effect here, events may have gone by. Holds text only; who gets what is the hub's.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "hub/encoder.hpp"

namespace bridge::hub {

class Replay {
public:
    explicit Replay(std::size_t max_bytes) : max_bytes_(max_bytes) {}

    // An event without payload here is one that would have to be read from the database.
    void remember(const Event &event, bool by_reference);

    // All events after `position` are here.
    bool covers(Position position) const { return position >= floor_; }
    void clear(Position head);
    std::size_t bytes() const { return bytes_; }

    struct Entry {
        Position position;
        std::uint64_t id;
        bool by_reference;
        std::uint32_t rooms_end, name_end, headers_end;
        std::string text;  // rooms, name, headers, payload
        std::vector<std::string> attachments;

        Event event() const;
        std::string_view rooms() const { return std::string_view(text).substr(0, rooms_end); }
    };

    // The entries after `position`, oldest first.
    std::deque<Entry>::const_iterator after(Position position) const;
    std::deque<Entry>::const_iterator end() const { return entries_.end(); }

private:
    static std::size_t cost(const Entry &entry);

    const std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    Position floor_;  // everything above it is here
    std::deque<Entry> entries_;
};

}  // namespace bridge::hub
