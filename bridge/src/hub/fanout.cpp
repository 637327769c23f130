// The way of an event to its receivers, and of bytes to sockets. The hot loop is give(): for each receiver it reads 8 bytes of the
// room, 16 of the session and writes 12 of the turn; the write itself is the only virtual call, in flush().
#include <algorithm>
#include <utility>

#include "base/json.hpp"
#include "base/scope.hpp"
#include "hub/faults.hpp"
#include "hub/room_list.hpp"
#include "hub/state.hpp"

namespace bridge::hub {

// ------------------------------------------------------------------------------------------------------------- deliver

void Hub::deliver(const Event &event) {
    if (faults::deliver(*this, event)) return;
    State &s = *state_;
    s.replay.remember(event, false);
    if (event.name.starts_with("\"pulse:") && is_system(event)) s.act(event);
    if (!s.find_targets(event)) return;
    s.fan_out(event, event.position, s.cursor_text(event.position));
}

void Hub::deliver_ephemeral(const Event &event) {
    State &s = *state_;
    if (!s.find_targets(event)) return;
    // It stands before the next event: who was let in ahead of the stream hears nothing before that gets there.
    s.fan_out(event, Position{s.head.value + 1}, s.cursor_text(s.head));
}

// The rooms of the event that somebody is in, and whom it leaves out.
bool Hub::State::find_targets(const Event &event) {
    targets.clear();
    each_room(event.rooms, [&](std::string_view room) {
        if (const auto index = rooms.find(room)) targets.push_back(*index);
        return true;
    });
    if (targets.empty()) return false;
    if (turn_events++ == 0) turn_started = clock.now();
    ++stamp;
    if (const auto key = except(event.headers)) {
        if (const std::uint32_t session = with_key(*key); session != kNone) hot[session].stamp = stamp;  // counts as reached already
    }
    return true;
}

void Hub::State::fan_out(const Event &event, Position position, std::string_view cursor) {
    if (position <= latest_since) {
        give<true>(event, position, cursor);
    } else {
        give<false>(event, position, cursor);
    }
    count_touched(event.name);
    if (turn.size() >= kMaxTurn) write_out();
}

template <bool kCheckSince>
void Hub::State::give(const Event &event, Position position, std::string_view cursor) {
    const std::uint64_t event_stamp = stamp;
    for (const RoomIndex room : targets) {
        const std::uint64_t room_stamp = ++stamp;  // frames that name the room are made anew for each
        for (const Member &member : rooms.members(room)) {
            SessionHot &session = hot[member.session];
            if (session.stamp >= event_stamp) continue;
            if constexpr (kCheckSince) {
                if (position <= sessions[member.session].rooms[member.place].since) continue;
            }
            session.stamp = event_stamp;
            Encoding &encoding = encodings[session.encoding];
            const std::uint64_t wanted = encoding.names_room ? room_stamp : event_stamp;
            if (encoding.frame_stamp != wanted) {
                if (encoding.frame_stamp < event_stamp) touched.push_back(session.encoding);
                encoding.frame_stamp = wanted;
                encoding.frame = hold(encoding, event, cursor, rooms.name(room));
            }
            if (encoding.frame == kNoFrame) continue;
            ++encoding.receivers;
            turn.push(session.connection, encoding.frame);
        }
    }
}

void Hub::pass_by(const Event &event) { state_->replay.remember(event, true); }

bool Hub::anybody_in(std::string_view rooms_json) const {
    bool found = false;
    const bool readable = each_room(rooms_json, [&](std::string_view room) {
        found = room == kSystemRoom || state_->rooms.find(room).has_value();
        return !found;
    });
    return found || !readable;
}

// The session that `publish(except_session => …)` names. Most headers have none: a search decides before anything is parsed.
std::optional<PublicId> Hub::State::except(std::string_view headers) const {
    if (headers.find("\"exceptSession\"") == std::string_view::npos) return std::nullopt;
    const auto members = json::members(headers);
    if (!members) return std::nullopt;
    for (const json::Member &member : *members) {
        if (member.key != "exceptSession") continue;
        const auto text = json::unquote(member.value);
        if (!text) return std::nullopt;
        const auto id = PublicId::parse(*text);
        return id ? std::optional(*id) : std::nullopt;
    }
    return std::nullopt;
}

void Hub::State::count_sent(Encoding &encoding, std::string_view name, std::uint64_t receivers) {
    if (!encoding.sent || encoding.counted_event != name) {
        const auto text = json::unquote(name);
        const std::string_view event = text ? std::string_view(*text) : "other";
        metrics.know_event(event);
        encoding.sent = &metrics.messages_sent(label(encoding.nsp), event);
        encoding.counted_event = name;
    }
    encoding.sent->Increment(static_cast<double>(receivers));
    if (encoding.streamed) encoding.streamed->Increment(static_cast<double>(receivers));
}

void Hub::State::count_touched(std::string_view name) {
    for (const EncodingId id : touched) {
        Encoding &encoding = encodings[id];
        if (const std::uint64_t receivers = std::exchange(encoding.receivers, 0)) count_sent(encoding, name, receivers);
    }
    touched.clear();
}

// ------------------------------------------------------------------------------------------------------------- sending

void Hub::send(ConnectionId id, FramePtr frame) {
    State &s = *state_;
    const Connection *connection = s.find(id);
    if (!connection || connection->closing) return;
    s.turn.push(id.index, s.turn.hold(std::move(frame)));
}

void Hub::send(SessionId id, FramePtr frame) {
    if (const Session *session = state_->find(id)) send(session->connection, std::move(frame));
}

void Hub::send_event(SessionId id, const Event &event) {
    State &s = *state_;
    const Session *session = s.find(id);
    if (!session) return;
    Encoding &encoding = s.encodings[s.hot[id.index].encoding];
    FramePtr frame = s.encoder.encode(encoding.protocol, encoding.nsp, event, cursor(id).text(), {});
    if (!frame) return;
    send(session->connection, std::move(frame));
    s.count_sent(encoding, event.name, 1);
}

std::optional<std::chrono::milliseconds> Hub::flush() {
    State &s = *state_;
    s.replayed_frames.flushed();
    if (s.turn.empty() && s.closing.empty()) return std::nullopt;
    const Clock::Instant began = s.clock.now();
    if (began < s.may_flush_at) return std::chrono::ceil<std::chrono::milliseconds>(s.may_flush_at - began);

    const bool stream = s.turn.shares_writes();
    if (!s.turn.empty()) s.write_out();
    if (!s.closing.empty()) {
        std::vector<ConnectionId> closing;
        closing.swap(s.closing);
        for (const ConnectionId id : closing) {
            if (Connection *connection = s.find(id)) connection->sink->close(*connection->closing);
        }
    }
    const Clock::Instant ended = s.clock.now();
    if (const auto took = ended - began; stream && took >= kLongFlush)
        s.may_flush_at = ended + std::min<Clock::Instant::duration>(took, kMaxPause);
    if (s.turn_events > 0) {
        const double seconds = std::chrono::duration<double>(ended - s.turn_started).count();
        for (; s.turn_events > 0; --s.turn_events) s.metrics.fanout_latency().Observe(seconds);
        s.metrics.replay_bytes().Set(static_cast<double>(s.replay.bytes()));
    }
    return std::nullopt;
}

void Hub::State::write_out() {
    joined_of.clear();
    turn.drain(
        [this](Turn::Lane lane) {
            if (lane != kDeafLane) connections[lane].sink->write_soon();
        },
        [this](Turn::Lane lane, std::span<const Turn::FrameIndex> frames) {
            if (lane != kDeafLane) write(lane, frames);
        });
    metrics.send_queue_bytes().Set(static_cast<double>(queued_bytes));
}

void Hub::State::write(std::uint32_t index, std::span<const Turn::FrameIndex> frames) {
    Connection &connection = connections[index];
    if (connection.dead) return;
    if (connection.outbox) return enqueue(index, frames);

    std::string_view bytes;
    if (frames.size() == 1) {
        bytes = turn.frame(frames[0])->bytes();
    } else {
        // Neighbours mostly get the same frames: join them once for all of them.
        if (!std::equal(frames.begin(), frames.end(), joined_of.begin(), joined_of.end())) {
            joined.clear();
            for (const Turn::FrameIndex frame : frames) joined.append(turn.frame(frame)->bytes());
            joined_of.assign(frames.begin(), frames.end());
        }
        bytes = joined;
    }
    switch (connection.sink->write(bytes)) {
        case Sink::Write::taken: break;
        case Sink::Write::choked:
            connection.outbox = std::make_unique<Outbox>();
            connection.sink->request_writable();
            enqueue(index, frames);
            break;
        case Sink::Write::failed:
            connection.dead = true;
            metrics.delivery_failures("write_failed").Increment(static_cast<double>(frames.size()));
            break;
    }
}

void Hub::State::enqueue(std::uint32_t index, std::span<const Turn::FrameIndex> frames) {
    Connection &connection = connections[index];
    for (const Turn::FrameIndex frame : frames) {
        connection.outbox->push(turn.frame(frame));
        queued_bytes += turn.frame(frame)->size();
    }
    if (connection.outbox->bytes() <= options.max_queue_bytes || connection.closing) return;
    // Too slow. The bytes stay until closed(), as others may still be walking over it; nothing more is taken.
    metrics.slow_consumers().Increment();
    metrics.delivery_failures("slow_client").Increment(static_cast<double>(frames.size()));
    connection.closing = Errc::slow_client;
    seal(index);
    closing.push_back({index, connection.generation});
}

void Hub::State::drop_outbox(Connection &connection) {
    if (!connection.outbox) return;
    queued_bytes -= connection.outbox->bytes();
    connection.outbox.reset();
    metrics.send_queue_bytes().Set(static_cast<double>(queued_bytes));
}

void Hub::writable(ConnectionId id) {
    State &s = *state_;
    Connection *connection = s.find(id);
    if (!connection || !connection->outbox || connection->dead) return;
    Outbox &outbox = *connection->outbox;
    s.joined_of.clear();  // `joined` is the scratch here too
    const std::string_view bytes = outbox.batch(s.joined);
    switch (connection->sink->write(bytes)) {
        case Sink::Write::taken:
            s.queued_bytes -= bytes.size();
            outbox.pop();
            if (outbox.empty()) {
                s.drop_outbox(*connection);
            } else {
                connection->sink->request_writable();
            }
            s.metrics.send_queue_bytes().Set(static_cast<double>(s.queued_bytes));
            break;
        case Sink::Write::choked: connection->sink->request_writable(); break;
        case Sink::Write::failed:
            connection->dead = true;
            s.metrics.delivery_failures("write_failed").Increment();
            s.drop_outbox(*connection);
            break;
    }
}

}  // namespace bridge::hub
