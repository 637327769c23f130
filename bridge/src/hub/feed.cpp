// See feed.hpp for the states. Everything that cannot be handled at once goes back to the front of `waiting_`, and a read closes the
// gap before it: one path for holes, wake-ups, references and what came before start().
#include "hub/feed.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "hub/hub.hpp"
#include "hub/notification.hpp"

namespace bridge::hub {

Feed::Feed(Hub &hub, Source &source, Metrics &metrics, std::size_t max_waiting_bytes)
    : hub_(hub), source_(source), metrics_(metrics), max_waiting_bytes_(max_waiting_bytes) {}

void Feed::start(std::string_view epoch, Position position, const Past &past) {
    // Sessions may be here before the stream is: it begins where the earliest of them was decided.
    const Position from = started_once_ ? head_ : std::min(position, hub_.lowest_since().value_or(position));
    const char *lost = why_lost(epoch, from, position, past);
    if (epoch_ != epoch) {
        epoch_ = epoch;
        ephemeral_sequence_ = 0;
        hub_.set_epoch(epoch);
    }
    if (lost) {
        log::warn("the stream cannot be continued: clients are told to come back",
                  {{"why", lost}, {"head", head_.value}, {"position", position.value}, {"floor", past.floor.value}});
        metrics_.streams_lost().Increment();
        hub_.lost();
        begin_at(position);
    } else if (!started_once_) {
        begin_at(from);
    }
    started_once_ = true;
    hub_.set_log_floor(past.floor);
    metrics_.database_up().Set(1);
    wanted_ = std::max(wanted_, position);
    drain_waiting();
}

// `from`: the last position that our sessions have been told of.
const char *Feed::why_lost(std::string_view epoch, Position from, Position position, const Past &past) const {
    if (started_once_) {
        if (!past.known) return "the epoch is unknown to this database";
        if (epoch != epoch_ && past.end && *past.end < from) return "the epoch ended before our head";
        if (position < from) return "positions went back";
    }
    if (from < position && from.value + 1 < past.floor.value) return "what is missing can no longer be read";
    return nullptr;
}

void Feed::begin_at(Position position) {
    advance(position);
    hub_.start_anew();
    wanted_ = position;
}

void Feed::stop() {
    state_ = State::stopped;
    waiting_.clear();
    waiting_bytes_ = 0;
    wanted_ = head_;
    metrics_.database_up().Set(0);
}

void Feed::notification(std::string_view payload) {
    if (state_ == State::live) {
        handle(payload);
        return;
    }
    if (waiting_bytes_ + payload.size() <= max_waiting_bytes_) {
        waiting_.emplace_back(payload);
        waiting_bytes_ += payload.size();
    } else if (const auto parsed = Notification::parse(payload)) {
        wanted_ = std::max(wanted_, parsed->header().last);
        if (parsed->header().ephemeral) metrics_.ephemeral_missed().Increment();
    }
}

void Feed::catch_up(Position position) {
    wanted_ = std::max(wanted_, position);
    if (state_ == State::live && wanted_ > head_) read_to(wanted_);
}

void Feed::handle(std::string_view payload) {
    auto parsed = Notification::parse(payload);
    if (!parsed) return fail(parsed.error().detail);
    const NotificationHeader &header = parsed->header();
    if (header.epoch != epoch_) return restart();
    if (header.ephemeral) return handle_ephemeral(*parsed);
    if (header.last <= head_) {
        metrics_.duplicate_notifications().Increment();
        return;
    }
    if (header.first.value > head_.value + 1) return wait_for(payload, Position{header.first.value - 1});
    if (parsed->wake_up()) return read_to(header.last);

    for (;;) {
        const auto line = parsed->next();
        if (!line) return fail(line.error().detail);
        if (!*line) break;
        const Event &event = (*line)->event;
        if (event.position <= head_) continue;
        if (!(*line)->by_reference) {
            hub_.deliver(event);
        } else if (!(*line)->unknown_rooms && !hub_.anybody_in(event.rooms)) {
            hub_.pass_by(event);
        } else {
            return wait_for(payload, event.position);
        }
        advance(event.position);
    }
    advance(header.last);
}

void Feed::handle_ephemeral(Notification &notification) {
    const NotificationHeader &header = notification.header();
    metrics_.ephemeral_dropped().Set(static_cast<double>(header.dropped));
    if (header.sequence <= ephemeral_sequence_) {
        metrics_.duplicate_notifications().Increment();
        return;
    }
    ephemeral_sequence_ = header.sequence;
    for (;;) {
        const auto line = notification.next();
        if (!line) return fail(line.error().detail);
        if (!*line) return;
        hub_.deliver_ephemeral((*line)->event);
    }
}

void Feed::wait_for(std::string_view payload, Position up_to) {
    waiting_.emplace_front(payload);
    waiting_bytes_ += payload.size();
    read_to(up_to);
}

void Feed::read_to(Position up_to) {
    state_ = State::reading;
    reading_to_ = up_to;
    metrics_.catch_ups().Increment();
    source_.read(head_, up_to);
}

void Feed::row(const Event &event) {
    if (state_ != State::reading || event.position <= head_) return;
    hub_.deliver(event);
    advance(event.position);
    metrics_.events_caught_up().Increment();
}

void Feed::read_done(bool more) {
    if (state_ != State::reading) return;
    if (more && head_ < reading_to_) {
        source_.read(head_, reading_to_);
        return;
    }
    advance(reading_to_);
    drain_waiting();
}

void Feed::drain_waiting() {
    state_ = State::live;
    while (state_ == State::live && !waiting_.empty()) {
        const std::string payload = std::move(waiting_.front());
        waiting_.pop_front();
        waiting_bytes_ -= payload.size();
        handle(payload);
    }
    if (state_ == State::live && wanted_ > head_) read_to(wanted_);
}

void Feed::advance(Position to) {
    head_ = to;
    hub_.advance(to);
}

void Feed::fail(std::string_view why) {
    metrics_.malformed_notifications().Increment();
    log::error("malformed notification: reading from the log instead", {{"why", why}, {"head", head_.value}});
    restart();
}

void Feed::restart() {
    stop();
    source_.restart();
}

}  // namespace bridge::hub
