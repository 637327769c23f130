// Room names ↔ members. A room exists while somebody is in it. Looking for a room with nobody here is one hash look-up by
// string_view; join and leave are O(1); members of a room lie in one array, which is what the fan-out walks.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hub/index_table.hpp"
#include "hub/members.hpp"
#include "hub/session.hpp"

namespace bridge::hub {

class Rooms {
public:
    std::optional<RoomIndex> find(std::string_view name) const {
        const RoomIndex found = by_name_.find(IndexTable::hash(name), [&](RoomIndex room) { return rooms_[room].name == name; });
        return found == IndexTable::kNone ? std::nullopt : std::optional(found);
    }
    std::string_view name(RoomIndex room) const { return rooms_[room].name; }
    std::span<const Member> members(RoomIndex room) const { return rooms_[room].members.span(); }
    std::size_t size() const { return by_name_.size(); }

    // Where `session` is in its list of rooms, or nullopt. Walks the shorter of the two lists.
    std::optional<std::uint32_t> place_of(RoomIndex room, std::uint32_t session, const Session &of) const;

    // `session` must not be a member yet.
    void join(std::string_view name, std::uint32_t session, Session &of, Position since);

    // Takes of.rooms[place] away. `sessions` is the slab: the members that fill the two holes are told their new places.
    void leave(std::uint32_t place, Session &of, std::vector<Session> &sessions);

private:
    struct Room {
        std::string name;
        Members members;
    };
    IndexTable by_name_;
    std::deque<Room> rooms_;  // grows without moving what is there, and without a moment of twice the memory
    std::vector<RoomIndex> free_;
};

}  // namespace bridge::hub
