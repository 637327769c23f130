// Room names ↔ members. A room exists while somebody is in it. Looking for a room with nobody here is one hash look-up by
// string_view; join and leave are O(1); members of a room lie in one array, which is what the fan-out walks.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hub/session.hpp"

namespace bridge::hub {

struct Member {
    std::uint32_t session;  // index in the slab
    std::uint32_t place;    // index in that session's `rooms`
};

class Rooms {
public:
    std::optional<RoomIndex> find(std::string_view name) const {
        const auto found = by_name_.find(name);
        return found == by_name_.end() ? std::nullopt : std::optional(found->second);
    }
    std::string_view name(RoomIndex room) const { return rooms_[room].name; }
    std::span<const Member> members(RoomIndex room) const { return rooms_[room].members; }
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
        std::vector<Member> members;
    };
    std::unordered_map<std::string_view, RoomIndex> by_name_;  // keys point into rooms_, whose elements never move
    std::deque<Room> rooms_;
    std::vector<RoomIndex> free_;
};

}  // namespace bridge::hub
