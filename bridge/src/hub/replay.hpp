// The recent events in order of position, bounded in bytes. Closes the gap of a join: between the snapshot in which it was allowed
// and the moment it takes effect here, events may have gone by; and serves recoveries whose cursor it still covers. Holds text only;
// who gets what is the hub's.
//
// An index by room lets a session walk its own rooms' events only: each event's rooms are links, chained back to the one before with
// the same hash. It is built when somebody looks, not when an event comes: a bridge without joins pays nothing for it.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hub/encoder.hpp"
#include "hub/index_table.hpp"

namespace bridge::hub {

class Replay {
public:
    explicit Replay(std::size_t max_bytes) : max_bytes_(max_bytes) {}

    // An event without payload here is one that would have to be read from the database.
    void remember(const Event &event, bool by_reference);

    // All events after `position` are here.
    bool covers(Position position) const { return position >= floor_; }
    Position floor() const { return floor_; }
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

    struct Wish {
        std::string_view room;
        Position after;
    };
    // Appends the entries that may be in one of the rooms after its position, oldest first, each once. Some that are not may be
    // among them: look at their rooms. Valid until the next call of anything.
    void find(std::span<const Wish> wishes, std::vector<const Entry *> &found);

private:
    struct Link {
        std::uint64_t entry;  // its number
        std::uint32_t hash;
        std::uint32_t back;  // so many links before is the previous one with this hash; 0: none
    };
    static constexpr std::size_t kLinkCost = sizeof(Link) + 16;  // with its share of the table
    static constexpr std::size_t kWalk = 16;                     // so few entries are looked at one by one
    static constexpr std::uint32_t kLinkMask = 0x7fffffff;       // what the table keeps of a link's number

    static std::size_t cost(const Entry &entry);
    void build_index();
    void drop_oldest();
    std::uint64_t link_number(std::uint32_t kept) const {
        return first_link_ + ((kept - static_cast<std::uint32_t>(first_link_)) & kLinkMask);
    }

    const std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    Position floor_;  // everything above it is here
    std::deque<Entry> entries_;
    std::uint64_t first_entry_ = 0;  // number of entries_[0]
    std::uint64_t indexed_to_ = 0;   // entries below this number are in the index
    std::deque<Link> links_;
    std::uint64_t first_link_ = 0;
    IndexTable last_link_;  // by hash of the room
};

}  // namespace bridge::hub
