// While it asks, the alarm bounds how long it waits for a database that is away; once it is live, how long its token is good.
#include "handlers/subscriber.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/log.hpp"
#include "base/scope.hpp"

namespace bridge::handlers {

namespace {

constexpr std::int64_t kPatience = 800;  // ms, while PostgreSQL is away: an answer is due within a second

Error too_busy() { return Error{Errc::unavailable, "the server is too busy, try again", "", 1}; }

}  // namespace

Subscriber::Alarm::Alarm(Subscriber &subscriber)
    : Entry([](Entry &entry) { static_cast<Alarm &>(entry).owner.fire(); }), owner(subscriber) {}

Subscriber::Subscriber(Services &services, Owner &owner, Protocol protocol, bool paged)
    : services_(services), owner_(owner), protocol_(protocol), paged_(paged), alarm_(*this) {}

Subscriber::~Subscriber() { services_.subscribers.remove(id_); }

void Subscriber::open(hub::Sink &sink) {
    id_ = services_.hub.open(sink);
    services_.subscribers.add(id_, *this);
    opened_at_ = services_.deadlines.now();
}

void Subscriber::start(std::unique_ptr<Gate> gate) {
    gate_ = std::move(gate);
    by_policies_ = gate_->by_policies();
    ask({});
}

void Subscriber::start(std::unique_ptr<Gate> gate, Grant grant) {
    gate_ = std::move(gate);
    by_policies_ = gate_->by_policies();
    const std::string correlation_id = grant.correlation_id;
    answered(serial_, {}, std::move(grant), correlation_id);
}

void Subscriber::ask(std::string must_refetch) {
    state_ = State::asking;
    const bool resume = must_refetch.empty();
    services_.deadlines.arm(alarm_, services_.deadlines.now() + kPatience);
    gate_->ask(resume, [&services = services_, id = id_, serial = ++serial_,
                        must_refetch = std::move(must_refetch)](Result<Grant> grant, const std::string &correlation_id) mutable {
        if (Subscriber *found = services.subscribers.find(id)) {
            found->answered(serial, std::move(must_refetch), std::move(grant), correlation_id);
        }
    });
}

void Subscriber::answered(std::uint32_t serial, std::string must_refetch, Result<Grant> grant, std::string_view correlation_id) {
    if (state_ != State::asking || serial != serial_) return;
    services_.deadlines.cancel(alarm_);
    if (!grant) return refuse(grant.error(), correlation_id);
    if (services_.revocations.revoked(*grant->claims)) {
        services_.metrics.authentication_errors("revoked").Increment();
        return refuse(auth::Verdict(auth::Failure::revoked).error(), correlation_id);
    }
    if (!grant->must_refetch.empty()) services_.metrics.recoveries(grant->must_refetch).Increment();
    if (!must_refetch.empty()) grant->must_refetch = std::move(must_refetch);
    services_.metrics.know_namespace(label(grant->scope));
    if (owner_.granted(*grant)) begin(std::move(*grant));
}

void Subscriber::begin(Grant grant) {
    session_ = services_.hub.add_session(id_, {.protocol = protocol_,
                                               .nsp = grant.scope,
                                               .key = services_.rng.id(),
                                               .socket_id = {},
                                               .claims = grant.claims,
                                               .base = grant.seen.value_or(grant.position.position)});
    if (!session_) return;  // the connection is just going
    state_ = State::catching_up;
    if (grant.seen) {
        catch_up(std::move(grant));
    } else {
        enter(grant);
    }
}

void Subscriber::catch_up(Grant grant) {
    hub::History::Request request;
    request.session = session_;
    request.decided = grant.position.position;
    request.first = owner_.greeting(grant);
    if (paged_) request.max_events = std::numeric_limits<std::size_t>::max();
    const auto kept = std::make_shared<Grant>(std::move(grant));
    for (const Grant::Room &room : kept->rooms) request.rooms.push_back({room.room, room.since});
    services_.history.recover(std::move(request),
                              [&services = services_, id = id_, serial = serial_, kept](const hub::HistoryOutcome &outcome) {
                                  Subscriber *found = services.subscribers.find(id);
                                  if (found != nullptr && found->state_ == State::catching_up && found->serial_ == serial) {
                                      found->caught_up(*kept, outcome);
                                  }
                              });
}

void Subscriber::caught_up(Grant &grant, const hub::HistoryOutcome &outcome) {
    if (outcome.recovered) return go_live(grant);
    log::debug("a listener was not given what it missed", {{"reason", outcome.reason},
                                                           {"begun", outcome.begun},
                                                           {"correlationId", grant.correlation_id},
                                                           log::given("traceparent", grant.traceparent)});
    if (outcome.reason == "gone") return;  // its connection ends
    const bool unavailable = outcome.reason == "unavailable";
    if (outcome.begun) {  // it has a part, and comes back with the cursor that it has by then
        stop(info(unavailable ? Errc::unavailable : Errc::must_refetch).reason);
        return services_.hub.close(id_, unavailable ? Errc::unavailable : Errc::must_refetch);
    }
    if (unavailable) return refuse(too_busy(), grant.correlation_id);
    if (outcome.reason == "too_many") return refuse(Error{Errc::invalid, "these are too many rooms"}, grant.correlation_id);
    services_.hub.remove_session(std::exchange(session_, {}));
    grant.seen.reset();
    grant.must_refetch = outcome.reason;
    if (owner_.granted(grant)) again(outcome.reason, grant.correlation_id);
}

void Subscriber::enter(const Grant &grant) {
    std::vector<hub::RoomSince> rooms;
    for (const Grant::Room &room : grant.rooms) rooms.push_back({room.room, room.since});
    switch (services_.hub.join(session_, rooms, owner_.greeting(grant))) {
        case hub::Join::joined:
        case hub::Join::already: return go_live(grant);
        case hub::Join::too_old:  // what went by since the decision is not here any more, or took it back
        case hub::Join::evicted:
            services_.hub.remove_session(std::exchange(session_, {}));
            return again(grant.must_refetch, grant.correlation_id);
        case hub::Join::too_many: return refuse(Error{Errc::invalid, "these are too many rooms"}, grant.correlation_id);
        case hub::Join::gone: return;
    }
}

void Subscriber::again(const std::string &must_refetch, std::string_view correlation_id) {
    if (--tries_ == 0) return refuse(too_busy(), correlation_id);
    ask(must_refetch);
}

void Subscriber::go_live(const Grant &grant) {
    state_ = State::live;
    gate_.reset();
    if (grant.claims->expires_at) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*grant.claims->expires_at - services_.clock.wall());
        expires_at_ = services_.deadlines.now() + std::max<std::int64_t>(left.count(), 0);
    }
    if (protocol_ == Protocol::sse) services_.metrics.connections_opened(label(grant.scope), name(protocol_)).Increment();
    arm();
    const hub::Session *session = services_.hub.find(session_);
    if (session != nullptr && session->rooms.empty() && !grant.rooms.empty()) evicted();  // on the way
    owner_.live();
}

void Subscriber::refuse(const Error &error, std::string_view correlation_id) {
    stop("refused");
    owner_.refused(error, correlation_id);
}

std::string Subscriber::cursor() const { return state_ == State::live ? services_.hub.cursor(session_).text() : std::string(); }

void Subscriber::stop(std::string_view reason) {
    if (state_ == State::ended) return;
    if (state_ == State::live && by_policies_) {  // until now it was a member
        if (const hub::Session *session = services_.hub.find(session_)) {
            const std::vector<std::string> rooms = services_.hub.rooms_of(session_);  // in the order of Session::rooms
            for (std::size_t n = 0; n < rooms.size(); ++n) {
                services_.admitted.add(session->claims->user_id, rooms[n], {session->base, session->rooms[n].since}, services_.hub.cursor(),
                                       services_.deadlines.now());
            }
        }
    }
    if (state_ == State::live && protocol_ == Protocol::sse) {
        services_.metrics.connections_closed(label(services_.hub.nsp(session_)), name(protocol_), reason).Increment();
        services_.metrics.connection_duration().Observe(static_cast<double>(services_.deadlines.now() - opened_at_) / 1000.0);
    }
    state_ = State::ended;
    gate_.reset();
    services_.deadlines.cancel(alarm_);
}

void Subscriber::closed() {
    services_.subscribers.remove(id_);
    services_.hub.closed(id_);
}

// Called while the hub goes through members, or before the session is in its other rooms: looked at a moment later.
void Subscriber::evicted() {
    if (state_ == State::live) services_.deadlines.arm(alarm_, services_.deadlines.now());
}

void Subscriber::revoke() {
    services_.metrics.authentication_errors("revoked").Increment();
    Error revoked = auth::Verdict(auth::Failure::revoked).error();
    revoked.code = Errc::revoked;
    end(revoked);
}

void Subscriber::end(const Error &error) {
    if (state_ == State::ended) return;
    stop(info(error.code).reason);
    if (hub::FramePtr frame = owner_.farewell(error)) services_.hub.send(id_, std::move(frame));
    services_.hub.close(id_, error.code);
}

void Subscriber::arm() {
    if (expires_at_ != 0) services_.deadlines.arm(alarm_, expires_at_);
}

void Subscriber::fire() {
    if (state_ == State::asking) {
        if (!services_.queries.up()) return refuse(Error{Errc::unavailable, "the database is not available, try again", "", 1}, {});
        return services_.deadlines.arm(alarm_, services_.deadlines.now() + kPatience);
    }
    if (state_ != State::live) return;
    if (expires_at_ != 0 && services_.deadlines.now() >= expires_at_) {
        services_.metrics.authentication_errors(auth::reason(auth::Failure::expired)).Increment();
        return end(auth::Verdict(auth::Failure::expired).error());
    }
    const hub::Session *session = services_.hub.find(session_);
    if (session != nullptr && session->rooms.empty()) return end(Error{Errc::evicted, "you are in none of the rooms any more"});
    arm();
}

}  // namespace bridge::handlers
