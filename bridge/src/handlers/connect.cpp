// CONNECT: the token is verified here, the namespace's connect functions decide in SQL, then the session joins their rooms at the
// position of that decision. Every CONNECT is answered exactly once, whatever happens: clients wait for it without a timeout.
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/log.hpp"
#include "codec/error_json.hpp"
#include "codec/native.hpp"
#include "codec/outbound.hpp"
#include "codec/socketio.hpp"
#include "handlers/authenticate.hpp"
#include "handlers/client.hpp"

namespace bridge::handlers {

using codec::Inbound;

namespace {
constexpr int kTries = 3;
}

void Client::connect(Inbound packet) {
    Namespace *nsp = find(packet.nsp);
    if (nsp != nullptr && nsp->state != State::ended) return end_connection(Errc::protocol_error);
    if (nsp == nullptr) {
        if (namespaces_.size() >= services_.options.max_namespaces) return end_connection(Errc::protocol_error);
        namespaces_.push_back(std::make_unique<Namespace>());
        nsp = namespaces_.back().get();
        nsp->name = packet.nsp;
    }
    nsp->serial = ++last_serial_;
    nsp->waiting.reset();
    if (const std::int64_t wait = over_rate(*nsp); wait > 0) {
        return refuse_connect(packet.nsp, Error{Errc::rate_limited, "too many events", "", wait});
    }

    auto auth = read_auth(packet);
    if (!auth) return refuse_connect(packet.nsp, auth.error());
    nsp->state = State::connecting;
    nsp->traceparent = auth->traceparent.empty() ? peer_.traceparent : auth->traceparent;
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(services_.clock.wall().time_since_epoch());
    Attempt attempt{nsp->serial, nullptr, kTries, now.count()};
    attempt.auth = std::move(packet.payload);
    const std::string token = !auth->reconnect_token.empty() ? auth->reconnect_token : auth->token.empty() ? peer_.token : auth->token;
    const auto later = [&services = services_, id = id_, attempt, auth = *auth]() mutable {
        Client *client = services.clients.find(id);
        Namespace *asking = client != nullptr ? client->find(attempt.serial) : nullptr;
        if (asking != nullptr && !client->ending_ && asking->state == State::connecting) client->enter(*asking, std::move(attempt), auth);
    };
    if (await_key(services_, token, later)) return;
    enter(*nsp, std::move(attempt), *auth);
}

void Client::enter(Namespace &nsp, Attempt attempt, const Auth &auth) {
    auto claims = authenticate(auth);
    if (!claims) return reject(nsp, claims.error());
    attempt.claims = std::move(*claims);
    attempt.device = auth.device.empty() ? peer_.device : auth.device;
    want_recovery(attempt, auth);
    if (!attempt.must_refetch.empty()) services_.metrics.recoveries(attempt.must_refetch).Increment();
    const std::uint64_t change = services_.bookkeeper.last_but_ends();
    if (!attempt.recover || services_.bookkeeper.stored(change)) return ask_connect(nsp, std::move(attempt));

    // The session may just have left a room or ended for good by this very client: that has to be stored before it is asked for.
    services_.bookkeeper.when_stored(change, [&services = services_, id = id_, attempt = std::move(attempt)](bool) mutable {
        Client *client = services.clients.find(id);
        Namespace *asking = client != nullptr ? client->find(attempt.serial) : nullptr;
        if (asking == nullptr || asking->state != State::connecting) return;
        client->ask_connect(*asking, std::move(attempt));
    });
}

// The payload of a CONNECT: {"token","reconnectToken","device","traceparent","pid","offset"} on Socket.IO, with "recovery" and "since" in
// place of the last two on the native protocol.
Result<Client::Auth> Client::read_auth(const Inbound &packet) {
    Auth out;
    if (!packet.payload.empty()) {
        const auto auth = json::parse(packet.payload, {.max_bytes = packet.payload.size()});
        if (!auth || !auth->is_object()) return Error{Errc::bad_request, "the auth payload is no JSON object"};
        for (const auto &[key, token] : {std::pair("token", &out.token), std::pair("reconnectToken", &out.reconnect_token)}) {
            const auto found = auth->find(key);
            if (found == auth->end() || found->is_null()) continue;
            if (!found->is_string()) {
                services_.metrics.authentication_errors(auth::reason(auth::Failure::malformed)).Increment();
                return auth::Verdict(auth::Failure::malformed).error();
            }
            *token = found->get<std::string>();
        }
        const auto text = [&](const char *key, std::optional<std::string> &value) {
            const auto found = auth->find(key);
            if (found == auth->end() || found->is_null()) return;
            value = found->is_string() ? found->get<std::string>() : std::string();
            if (!found->is_string()) out.malformed = true;
        };
        if (const auto device = auth->find("device"); device != auth->end() && device->is_string()) {
            out.device = device_name(device->get<std::string>());
        }
        if (const auto trace = auth->find("traceparent"); trace != auth->end() && trace->is_string()) {
            const auto &said = trace->get_ref<const std::string &>();
            if (is_traceparent(said)) out.traceparent = said;
        }
        text(socketio() ? "pid" : "recovery", out.pid);
        text(socketio() ? "offset" : "since", out.cursor);
    }
    if (!socketio() && !out.pid && !peer_.recovery.empty()) {
        out.pid = std::move(peer_.recovery);
        if (!peer_.since.empty()) out.cursor = std::move(peer_.since);
    }
    peer_.recovery = peer_.since = std::string();  // good for one try
    return out;
}

// auth.reconnectToken of the CONNECT, else its token, else that of the HTTP request, else anonymous where that is allowed.
Result<ClaimsPtr> Client::authenticate(const Auth &auth) {
    if (!auth.reconnect_token.empty()) return handlers::authenticate(services_, auth.reconnect_token, Use::reconnect);
    if (auth.token.empty() && request_claims_) {
        if (!request_claims_->expires_at || *request_claims_->expires_at > services_.clock.wall()) return request_claims_;
        services_.metrics.authentication_errors(auth::reason(auth::Failure::expired)).Increment();
        return auth::Verdict(auth::Failure::expired).error();
    }
    const bool from_request = auth.token.empty();
    const std::string &token = from_request ? peer_.token : auth.token;
    auto claims = handlers::authenticate(services_, token);
    if (!claims || token.empty()) return claims;
    if (from_request) {
        request_claims_ = *claims;
        peer_.token = std::string();  // its claims are all that is needed, and ten thousand tokens are megabytes
    }
    return claims;
}

void Client::ask_connect(Namespace &nsp, Attempt attempt) {
    const Trace trace = new_trace(nsp.traceparent);
    attempt.key = services_.rng.id();
    attempt.socket_id = services_.rng.id();
    if (services_.options.recovery) attempt.pid = services_.rng.id();
    std::string asked = context(*attempt.claims, attempt.key, attempt.socket_id, nsp.name, trace);
    asked.insert(asked.size() - 1, recovery_context(attempt));
    services_.queries.connect(nsp.name, std::move(asked), trace,
                              [&services = services_, id = id_, attempt = std::move(attempt)](Result<db::ConnectAnswer> answer) mutable {
                                  if (Client *client = services.clients.find(id)) {
                                      client->connect_answered(std::move(attempt), std::move(answer));
                                  } else if (answer) {
                                      abandon(services, attempt, *answer);
                                  }
                              });
}

void Client::connect_answered(Attempt attempt, Result<db::ConnectAnswer> answer) {
    Namespace *nsp = find(attempt.serial);
    if (ending_ || nsp == nullptr || nsp->state != State::connecting) {
        if (answer) abandon(services_, attempt, *answer);
        return;
    }
    if (!answer) {
        Error error = std::move(answer).error();
        if (error.code == Errc::not_found) error.detail = "Invalid namespace";
        if (error.code == Errc::unauthenticated || error.code == Errc::forbidden) {
            services_.metrics.authentication_errors(auth::reason(auth::Failure::forbidden)).Increment();
        }
        return reject(*nsp, error);
    }
    services_.metrics.know_namespace(nsp->name);  // SQL vouched for it: it may be a label
    if (answer->recovered && attempt.recover) return continue_session(*nsp, std::move(attempt), *answer);
    if (attempt.recover) {
        attempt.must_refetch = answer->must_refetch.empty() ? "unknown" : std::move(answer->must_refetch);
        attempt.recover.reset();
        services_.metrics.recoveries(attempt.must_refetch).Increment();
    }
    begin_session(*nsp, std::move(attempt), *answer);
}

void Client::begin_session(Namespace &nsp, Attempt attempt, const db::ConnectAnswer &answer) {
    hub::Hub &hub = services_.hub;
    const db::StoredSession session{attempt.key, attempt.socket_id};
    nsp.generation = session.generation;
    nsp.session = hub.add_session(id_, {.protocol = protocol_,
                                        .nsp = nsp.name,
                                        .key = session.key,
                                        .socket_id = session.socket_id,
                                        .claims = attempt.claims,
                                        .base = answer.position.position});
    if (!nsp.session) return abandon(services_, attempt, answer);  // the socket is just going; closed() will follow
    std::vector<hub::RoomSince> rooms;
    for (const auto &[room, since] : answer.rooms) rooms.push_back({room, since});
    const auto joined = hub.join(nsp.session, rooms, hub::make_frame(connected_frame(nsp, attempt, session, answer.position, false)));
    if (joined == hub::Join::joined || joined == hub::Join::already) {
        return accepted(nsp, *attempt.claims, &answer);
    }
    hub.remove_session(nsp.session);
    nsp.session = SessionId{};
    services_.bookkeeper.forgotten(session.key, session.generation);
    if (joined == hub::Join::too_many) {
        log::warn("a connect function gave too many rooms",
                  {{"namespace", nsp.name}, {"rooms", rooms.size()}, log::given("traceparent", nsp.traceparent)});
        return reject(nsp, Error{Errc::internal, "too many rooms"});
    }
    if (joined == hub::Join::gone) return;
    // What went by since the decision is not here any more, or took it back: a fresh one is better than a hole.
    if (--attempt.tries > 0) return ask_connect(nsp, std::move(attempt));
    reject(nsp, Error{Errc::unavailable, "the server is too busy, try again"});
}

void Client::accepted(Namespace &nsp, const Claims &claims, const db::ConnectAnswer *fresh) {
    nsp.state = State::connected;
    ever_connected_ = true;
    services_.metrics.connections_opened(nsp.name, transport_).Increment();
    expire_with(nsp, claims);
    if (fresh != nullptr && !fresh->effects.empty()) (void)apply_effects(nsp, fresh->effects, fresh->position, {{}, nsp.traceparent});
    if (nsp.waiting && !nsp.waiting->busy) done(nsp.serial);  // what the client sent while it waited
}

void Client::reject(Namespace &nsp, const Error &error) {
    nsp.state = State::ended;
    nsp.session = SessionId{};
    nsp.waiting.reset();
    refuse_connect(nsp.name, error);
    end_if_drained();
}

void Client::refuse_connect(std::string_view nsp, const Error &error) {
    const Namespace *asked = find(nsp);
    log::debug("connect refused", {{"namespace", nsp},
                                   {"code", info(error.code).code},
                                   log::given("traceparent", asked != nullptr ? asked->traceparent : std::string_view())});
    if (socketio()) {
        const bool unknown = error.code == Errc::not_found;  // as the official server says it: without data
        services_.hub.send(
            id_, hub::make_frame(codec::socketio::connect_error(nsp, error.detail, unknown ? "" : codec::connect_error_data(error))));
        return;  // the connection stays: other namespaces, or another try with a better token
    }
    services_.hub.send(id_, hub::make_frame(codec::native::error(error, {})));
    end_connection(error.code);
}

}  // namespace bridge::handlers
