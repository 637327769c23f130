// A client comes back: it names the session it had by a secret (`pid`) and the last event it has (a cursor). SQL takes the session
// over or says why not; the hub's history gives what was missed behind the answer, and then the session is live.
// Not recovered is never an error: the client gets an ordinary new session, and is told that it must read its state anew.
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"
#include "codec/native.hpp"
#include "codec/socketio.hpp"
#include "handlers/client.hpp"

namespace bridge::handlers {

void Client::want_recovery(Attempt &attempt, const Auth &auth) const {
    if (!services_.options.recovery || !auth.pid) return;
    attempt.must_refetch = "unknown";
    if (auth.malformed) return;
    const auto pid = PublicId::parse(*auth.pid);
    if (!pid) return;
    if (auth.cursor) {
        auto cursor = Cursor::parse(*auth.cursor);
        if (!cursor) return;
        attempt.seen = std::move(*cursor);
    }
    attempt.recover = *pid;
    attempt.must_refetch.clear();
}

// What the question for a CONNECT has beside the context of every other.
std::string Client::recovery_context(const Attempt &attempt) const {
    std::string out =
        R"(,"bridge":")" + std::string(services_.bookkeeper.bridge().view()) + R"(","arrivedAt":)" + std::to_string(attempt.arrived_at);
    if (attempt.pid) out += R"(,"pid":")" + std::string(attempt.pid.view()) + '"';
    if (!attempt.auth.empty()) out += R"(,"auth":)" + attempt.auth;
    if (!attempt.device.empty()) out += R"(,"device":)" + json::quote(attempt.device);
    if (!attempt.recover) return out;
    out += R"(,"recover":{"pid":")" + std::string(attempt.recover->view()) + R"(","cursor":)";
    return out + (attempt.seen ? '"' + attempt.seen->text() + '"' : "null") + '}';
}

// The answer found nobody: the row must not look like a session that is here.
void Client::abandon(Services &services, const Attempt &attempt, const db::ConnectAnswer &answer) {
    if (answer.recovered) {
        services.bookkeeper.ended(answer.recovered->key, answer.recovered->generation);
    } else {
        services.bookkeeper.forgotten(attempt.key, db::StoredSession{}.generation);
    }
}

// The connection that the session had on this bridge ends now, also when it is only thought to be alive.
bool Client::take_over(Services &services, const db::StoredSession &session) {
    const SessionId old = services.hub.find_key(session.key);
    const hub::Session *found = services.hub.find(old);
    if (found == nullptr) return true;
    if (Client *client = services.clients.find(found->connection)) client->taken_over(old, session.generation);
    return services.hub.find(old) == nullptr;
}

void Client::taken_over(SessionId session, std::uint64_t generation) {
    Namespace *nsp = find(session);
    if (nsp == nullptr || nsp->generation >= generation) return;
    log::debug("a session went on on another connection", {{"namespace", nsp->name}, log::given("traceparent", nsp->traceparent)});
    if (socketio() && nsp->state == State::connected) {
        services_.hub.send(session, hub::make_frame(codec::socketio::disconnected(nsp->name)));
    }
    forget_session(*nsp, info(Errc::taken_over).reason, Row::lost);
    end_connection(Errc::taken_over);
}

std::string Client::connected_frame(const Namespace &nsp, const Attempt &attempt, const db::StoredSession &session, const Cursor &position,
                                    bool recovered) const {
    const PublicId &pid = recovered ? *attempt.recover : attempt.pid;
    const std::string_view secret = pid ? pid.view() : std::string_view();
    if (socketio()) return codec::socketio::connected(nsp.name, session.socket_id.view(), secret);
    return codec::native::connected({session.key.view(), position.text(), secret, recovered, attempt.must_refetch});
}

void Client::continue_session(Namespace &nsp, Attempt attempt, const db::ConnectAnswer &answer) {
    const db::StoredSession &session = *answer.recovered;
    if (!take_over(services_, session)) {  // answers come in another order than they were given
        forget_session(nsp, info(Errc::taken_over).reason, Row::lost);
        return end_connection(Errc::taken_over);
    }
    const Position seen = attempt.seen ? attempt.seen->position : session.position;
    nsp.generation = session.generation;
    nsp.session = services_.hub.add_session(id_, {.protocol = protocol_,
                                                  .nsp = nsp.name,
                                                  .key = session.key,
                                                  .socket_id = session.socket_id,
                                                  .claims = attempt.claims,
                                                  .base = seen});
    if (!nsp.session) return abandon(services_, attempt, answer);
    services_.leases.resumed({session.key, session.generation, attempt.claims->user_id}, answer.leases);

    hub::History::Request request{nsp.session,
                                  {},
                                  answer.position.position,
                                  false,
                                  hub::make_frame(connected_frame(nsp, attempt, session, Cursor{answer.position.epoch, seen}, true))};
    for (const auto &[room, since] : answer.rooms) request.rooms.push_back({room, since});
    services_.history.recover(std::move(request),
                              [&services = services_, id = id_, attempt = std::move(attempt)](const hub::HistoryOutcome &outcome) mutable {
                                  if (Client *client = services.clients.find(id)) client->recovery_ended(std::move(attempt), outcome);
                              });
}

void Client::recovery_ended(Attempt attempt, const hub::HistoryOutcome &outcome) {
    Namespace *nsp = find(attempt.serial);
    if (nsp == nullptr || nsp->state != State::connecting || !nsp->session) return;  // who ended it has seen to its row
    if (outcome.recovered) return accepted(*nsp, *attempt.claims);
    if (ending_) return;  // closed() will
    log::debug(
        "not recovered",
        {{"namespace", nsp->name}, {"reason", outcome.reason}, {"begun", outcome.begun}, log::given("traceparent", nsp->traceparent)});
    const bool try_again = outcome.reason == "unavailable" || outcome.reason == "gone";
    if (outcome.begun || try_again) {
        // It has a part of what it missed, or nobody knows: it comes back by itself with the cursor that it has by then.
        const Errc why = try_again ? Errc::unavailable : Errc::must_refetch;
        forget_session(*nsp, info(why).reason, Row::keeps);
        return end_connection(why);
    }
    const hub::Session *session = services_.hub.find(nsp->session);
    if (session != nullptr) {
        services_.leases.ended(session->key);
        services_.bookkeeper.forgotten(session->key, nsp->generation);
    }
    services_.hub.remove_session(nsp->session);
    nsp->session = SessionId{};
    attempt.recover.reset();
    attempt.seen.reset();
    attempt.must_refetch = outcome.reason;
    ask_connect(*nsp, std::move(attempt));
}

// Where the session stands, for the last argument of an event that is not the log's: the client must not lose its place by it.
std::string Client::offset(const Namespace *nsp) const {
    if (!services_.options.recovery || !socketio() || nsp == nullptr || nsp->state != State::connected) return {};
    return services_.hub.cursor(nsp->session).text();
}

}  // namespace bridge::handlers
