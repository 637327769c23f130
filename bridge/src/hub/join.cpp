// Into a room, now or from an earlier position: what the ring holds of the missed events goes to the session first, and in the same
// call it becomes a member, so nothing comes between. join() is for a decision of a moment ago and changes nothing unless it can
// give everything; resume() is one step of a recovery.
#include <algorithm>

#include "hub/faults.hpp"
#include "hub/room_list.hpp"
#include "hub/state.hpp"

namespace bridge::hub {

// The rooms that are joined, found by name.
class Hub::State::Wanted {
public:
    struct Room {
        std::string_view name;
        Position since;
        std::optional<Position> until;  // the eviction that ended it
    };

    // false: it is among them already.
    bool add(std::string_view name, Position since) {
        if (find(name)) return false;
        const auto at = static_cast<std::uint32_t>(rooms_.size());
        rooms_.push_back({name, since, std::nullopt});
        if (rooms_.size() == kFew + 1) {
            for (std::uint32_t i = 0; i < at; ++i) by_name_.insert(IndexTable::hash(rooms_[i].name), i);
        }
        if (rooms_.size() > kFew) by_name_.insert(IndexTable::hash(name), at);
        return true;
    }
    Room *find(std::string_view name) {
        if (rooms_.size() <= kFew) {
            const auto found = std::find_if(rooms_.begin(), rooms_.end(), [&](const Room &room) { return room.name == name; });
            return found == rooms_.end() ? nullptr : &*found;
        }
        const std::uint32_t at = by_name_.find(IndexTable::hash(name), [&](std::uint32_t i) { return rooms_[i].name == name; });
        return at == IndexTable::kNone ? nullptr : &rooms_[at];
    }
    std::vector<Room> &rooms() { return rooms_; }
    Position lowest() const {
        Position lowest{UINT64_MAX};
        for (const Room &room : rooms_) lowest = std::min(lowest, room.since);
        return lowest;
    }

private:
    static constexpr std::size_t kFew = 8;
    std::vector<Room> rooms_;
    IndexTable by_name_;
};

bool Hub::State::ending(const Session &session) const {
    const Connection &connection = connections[session.connection.index];
    return connection.closing || connection.dead;
}

// Did it come through a room that the session is in?
bool Hub::State::had(std::uint32_t index, const Event &event) const {
    const Session &session = sessions[index];
    if (session.rooms.empty()) return false;
    bool found = false;
    each_room(event.rooms, [&](std::string_view name) {
        if (const auto room = rooms.find(name)) {
            const auto place = rooms.place_of(*room, index, session);
            found = place && session.rooms[*place].since < event.position;
        }
        return !found;
    });
    return found;
}

// What the session has not had of the wanted rooms; in order. false: the ring does not hold all of it.
bool Hub::State::find_missed(std::uint32_t index, Wanted &wanted, std::vector<Missed> &missed) {
    std::vector<Replay::Wish> wishes;
    for (const Wanted::Room &room : wanted.rooms()) {
        if (room.since < head) wishes.push_back({room.name, room.since});
    }
    if (wishes.empty()) return true;
    if (!replay.covers(wanted.lowest())) return false;
    std::vector<const Replay::Entry *> found;
    replay.find(wishes, found);
    for (const Replay::Entry *entry : found) {
        std::string_view through;
        each_room(entry->rooms(), [&](std::string_view name) {
            const Wanted::Room *room = wanted.find(name);
            if (!room || entry->position <= room->since || (room->until && entry->position > *room->until)) return true;
            through = room->name;
            return false;
        });
        if (through.empty()) continue;
        Event event;
        event.position = entry->position;
        event.rooms = entry->rooms();
        if (had(index, event)) continue;
        if (entry->by_reference) return false;
        if (const auto key = except(entry->event().headers); key && *key == sessions[index].key) continue;
        missed.push_back({entry, through});
    }
    return true;
}

std::size_t Hub::State::send_missed(std::uint32_t index, const Missed &missed, Position cursor) {
    const EncodingId id = hot[index].encoding;
    Encoding &encoding = encodings[id];
    const Event event = missed.entry->event();
    const auto room = encoding.names_room ? missed.room : std::string_view();
    FramePtr frame = replayed_frames.get(event.position, cursor, id, room, [&] {
        return encoder.encode(encoding.protocol, encoding.nsp, event, cursor_text(cursor), missed.room);
    });
    if (!frame) return 0;
    const std::size_t bytes = frame->size();
    turn.push(hot[index].connection, turn.hold(std::move(frame)));
    count_sent(encoding, event.name, 1);
    return bytes;
}

void Hub::State::remember_regrant(SessionId session, const RoomSince &room) {
    static constexpr std::size_t kMax = 4096;
    while (!regrants.empty() && (regrants.front().at <= head || regrants.size() >= kMax)) regrants.pop_front();
    regrants.push_back({session, std::string(room.room), room.since});
}

Join Hub::join(SessionId id, std::span<const std::string_view> names, Position since, FramePtr first) {
    std::vector<RoomSince> rooms;
    rooms.reserve(names.size());
    for (const std::string_view name : names) rooms.push_back({name, since});
    return join(id, rooms, std::move(first));
}

Join Hub::join(SessionId id, std::span<const RoomSince> rooms, FramePtr first) {
    State &s = *state_;
    Session *session = s.find(id);
    if (!session) return Join::gone;
    State::Wanted wanted;
    for (const RoomSince &room : rooms) {
        if (!in_room(id, room.room)) {
            wanted.add(room.room, room.since);
        } else if (room.since > s.head) {
            s.remember_regrant(id, room);
        }
    }
    auto &fresh = wanted.rooms();
    if (fresh.empty()) {
        if (first) send(id, std::move(first));
        return Join::already;
    }
    if (session->rooms.size() + fresh.size() > s.options.max_rooms_per_session) return Join::too_many;

    const Position lowest = wanted.lowest();
    if (lowest < s.evictions.floor()) return Join::too_old;
    if (s.evictions.any_after(lowest)) {
        for (auto eviction = s.evictions.after(lowest); eviction != s.evictions.end(); ++eviction) {
            if (!eviction->concerns(*session->claims)) continue;
            const State::Wanted::Room *room = wanted.find(eviction->room);
            if (eviction->revocation || (room && room->since < eviction->position)) return Join::evicted;
        }
    }
    std::vector<State::Missed> missed;
    if (!s.find_missed(id.index, wanted, missed)) return Join::too_old;

    const bool in_others = !session->rooms.empty();
    if (first && !in_others) send(id, std::move(first));
    for (const State::Missed &event : missed) s.send_missed(id.index, event, in_others ? cursor(id).position : event.entry->position);
    for (const State::Wanted::Room &room : fresh) {
        s.rooms.join(room.name, id.index, *session, room.since);
        s.latest_since = std::max(s.latest_since, room.since);
    }
    if (first) send(id, std::move(first));
    s.metrics.rooms().Set(static_cast<double>(s.rooms.size()));
    return Join::joined;
}

Step Hub::resume(Recovering &recovering, std::size_t window, std::size_t max_events) {
    State &s = *state_;
    const SessionId id = recovering.session;
    Session *session = s.find(id);
    if (!session || s.ending(*session)) return Step::gone;
    State::Wanted wanted;
    std::size_t fresh = 0;
    for (const Recovering::Room &room : recovering.rooms) {
        if (wanted.add(room.name, std::max(room.since, recovering.reached)) && !in_room(id, room.name)) ++fresh;
    }
    if (session->rooms.size() + fresh > s.options.max_rooms_per_session) return Step::too_many;

    // Rooms that were lost meanwhile end there. What the database knew when it decided, it has answered for; what came after that and
    // before this bridge's memory stands in the log.
    std::vector<std::pair<const Eviction *, std::string_view>> lost;
    if (std::max(recovering.decided, recovering.reached) < s.evictions.floor()) return Step::too_old;
    if (const Position lowest = wanted.lowest(); s.evictions.any_after(lowest)) {
        for (auto eviction = s.evictions.after(lowest); eviction != s.evictions.end(); ++eviction) {
            if (!eviction->concerns(*session->claims)) continue;
            State::Wanted::Room *room = eviction->revocation ? nullptr : wanted.find(eviction->room);
            const bool ends = room && room->since < eviction->position && !room->until;
            if (!recovering.begun && (ends || eviction->revocation)) return Step::evicted;
            if (!ends) continue;
            room->until = eviction->position;
            lost.emplace_back(&*eviction, room->name);
        }
    }
    std::vector<State::Missed> missed;
    if (!s.find_missed(id.index, wanted, missed)) return Step::too_old;
    if (!recovering.begun && missed.size() > max_events) return Step::too_much;

    recovering.begun = recovering.begun || recovering.first || !missed.empty();
    if (recovering.first) {
        recovering.sent += recovering.first->size();
        send(id, std::move(recovering.first));
    }
    const auto seen = [&](Position position) { return recovering.backfill ? cursor(id).position : position; };
    auto next_lost = lost.begin();
    const auto tell_lost = [&](Position up_to) {
        for (; next_lost != lost.end() && next_lost->first->position <= up_to; ++next_lost) {
            const auto room = std::find_if(recovering.rooms.begin(), recovering.rooms.end(),
                                           [&](const Recovering::Room &r) { return r.name == next_lost->second; });
            const Position at = next_lost->first->position;
            if (!room->member) s.tell_evicted(id.index, *next_lost->first, seen(at));  // a member was told when it happened
            room->lost = true;  // taken away below: the names are looked at until then
        }
    };
    const auto forget_lost = [&] { std::erase_if(recovering.rooms, [](const Recovering::Room &room) { return room.lost; }); };
    for (const State::Missed &event : missed) {
        if (recovering.sent >= window) {
            forget_lost();
            return Step::more;
        }
        tell_lost(event.entry->position);
        if (faults::leave_out()) continue;
        recovering.sent += s.send_missed(id.index, event, seen(event.entry->position));
        recovering.reached = event.entry->position;
        ++recovering.given;
    }
    tell_lost(s.head);
    forget_lost();
    if (recovering.rooms.empty() && recovering.backfill) return Step::evicted;
    recovering.reached = std::max(recovering.reached, s.head);
    for (const Recovering::Room &room : recovering.rooms) {
        const auto index = s.rooms.find(room.name);
        if (const auto place = index ? s.rooms.place_of(*index, id.index, *session) : std::nullopt) {
            Position &since = session->rooms[*place].since;
            since = std::min(since, room.since);
            continue;
        }
        s.rooms.join(room.name, id.index, *session, room.since);
        s.latest_since = std::max(s.latest_since, room.since);
    }
    s.metrics.rooms().Set(static_cast<double>(s.rooms.size()));
    if (s.turn.size() >= kMaxTurn) s.write_out();
    return Step::live;
}

// ---------------------------------------------------------------------------------------- events of the log, one by one

void Hub::deliver_to(SessionId id, const Event &event, std::optional<Position> offset) {
    State &s = *state_;
    const Session *session = s.find(id);
    if (!session || s.ending(*session) || s.had(id.index, event)) return;
    if (const auto key = s.except(event.headers); key && *key == session->key) return;
    std::string room;
    each_room(event.rooms, [&](std::string_view name) {
        room = name;
        return false;
    });
    Encoding &encoding = s.encodings[s.hot[id.index].encoding];
    FramePtr frame = s.encoder.encode(encoding.protocol, encoding.nsp, event, s.cursor_text(offset.value_or(event.position)), room);
    if (!frame) return;
    send(id, std::move(frame));
    s.count_sent(encoding, event.name, 1);
}

void Hub::deliver_to(std::span<Receiver> receivers, const Event &event) {
    if (faults::leave_out()) return;
    State &s = *state_;
    const auto except = s.except(event.headers);
    const std::uint64_t before = s.stamp;
    // Two rounds: those that read their own position as cursor, and those that have seen later ones.
    for (const bool backfill : {false, true}) {
        std::uint64_t stamp = 0;
        std::string_view room;
        Position at;
        std::string cursor;
        for (Receiver &receiver : receivers) {
            if (receiver.backfill != backfill) continue;
            const Session *session = s.find(receiver.session);
            const std::uint32_t index = receiver.session.index;
            if (!session || s.ending(*session) || (except && *except == session->key) || s.had(index, event)) continue;
            const Position offset = backfill ? this->cursor(receiver.session).position : event.position;
            if (stamp == 0 || offset != at) {
                at = offset;
                cursor = s.cursor_text(offset);
                stamp = ++s.stamp;
                room = receiver.room;
            }
            Encoding &encoding = s.encodings[s.hot[index].encoding];
            if (encoding.names_room && room != receiver.room) {
                room = receiver.room;
                stamp = ++s.stamp;  // frames of all encodings are made anew; rooms come in runs
            }
            if (encoding.frame_stamp != stamp) {
                if (encoding.frame_stamp <= before) s.touched.push_back(s.hot[index].encoding);
                encoding.frame_stamp = stamp;
                encoding.frame = s.hold(encoding, event, cursor, receiver.room);
            }
            if (encoding.frame == kNoFrame) continue;
            receiver.bytes = s.turn.frame(encoding.frame)->size();
            ++encoding.receivers;
            s.turn.push(s.hot[index].connection, encoding.frame);
        }
    }
    s.count_touched(event.name);
    if (s.turn.size() >= kMaxTurn) s.write_out();
}

bool Hub::drained(SessionId id) const {
    const Session *session = state_->find(id);
    if (!session) return true;
    const Connection &connection = state_->connections[session->connection.index];
    return !connection.outbox && !state_->turn.pending(session->connection.index);
}

bool Hub::ending(SessionId id) const {
    const Session *session = state_->find(id);
    return !session || state_->ending(*session);
}

}  // namespace bridge::hub
