// Both lists are kept dense: whoever was last fills the hole, and the other side of that pair is corrected.
#include "hub/rooms.hpp"

namespace bridge::hub {

std::optional<std::uint32_t> Rooms::place_of(RoomIndex room, std::uint32_t session, const Session &of) const {
    const std::span<const Member> members = rooms_[room].members.span();
    if (of.rooms.size() <= members.size()) {
        for (std::uint32_t place = 0; place < of.rooms.size(); ++place) {
            if (of.rooms[place].room == room) return place;
        }
    } else {
        for (const Member &member : members) {
            if (member.session == session) return member.place;
        }
    }
    return std::nullopt;
}

void Rooms::join(std::string_view name, std::uint32_t session, Session &of, Position since) {
    RoomIndex index;
    if (const auto found = find(name)) {
        index = *found;
    } else {
        if (free_.empty()) {
            index = static_cast<RoomIndex>(rooms_.size());
            rooms_.emplace_back();
        } else {
            index = free_.back();
            free_.pop_back();
        }
        rooms_[index].name = name;
        by_name_.insert(IndexTable::hash(name), index);
    }
    Members &members = rooms_[index].members;
    of.rooms.push_back({index, members.size(), since});
    members.push_back({session, static_cast<std::uint32_t>(of.rooms.size() - 1)});
}

void Rooms::leave(std::uint32_t place, Session &of, std::vector<Session> &sessions) {
    const Membership gone = of.rooms[place];
    Room &room = rooms_[gone.room];

    room.members[gone.slot] = room.members[room.members.size() - 1];
    room.members.pop_back();
    if (gone.slot < room.members.size()) {
        const Member &moved = room.members[gone.slot];
        sessions[moved.session].rooms[moved.place].slot = gone.slot;
    }

    of.rooms[place] = of.rooms.back();
    of.rooms.pop_back();
    if (place < of.rooms.size()) {
        const Membership &moved = of.rooms[place];
        rooms_[moved.room].members[moved.slot].place = place;
    }

    if (room.members.size() == 0) {
        by_name_.erase(IndexTable::hash(room.name), gone.room);
        room = Room{};  // gives its memory back
        free_.push_back(gone.room);
    }
}

}  // namespace bridge::hub
