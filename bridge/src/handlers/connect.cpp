// CONNECT: the token is verified here, the namespace's connect functions decide in SQL, then the session joins their rooms at the
// position of that decision. Every CONNECT is answered exactly once, whatever happens: clients wait for it without a timeout.
#include <algorithm>
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"
#include "codec/error_json.hpp"
#include "codec/native.hpp"
#include "codec/outbound.hpp"
#include "codec/socketio.hpp"
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

    auto claims = authenticate(packet);
    if (!claims) {
        refuse_connect(packet.nsp, claims.error());
        return;
    }
    nsp->state = State::connecting;
    ask_connect(*nsp, Attempt{nsp->serial, services_.rng.id(), services_.rng.id(), std::move(*claims), kTries});
}

// auth.token of the CONNECT, else the token of the HTTP request, else anonymous where that is allowed.
Result<ClaimsPtr> Client::authenticate(const Inbound &packet) {
    std::string token;
    if (!packet.payload.empty()) {
        const auto auth = json::parse(packet.payload, {.max_bytes = packet.payload.size()});
        if (!auth || !auth->is_object()) return Error{Errc::bad_request, "the auth payload is no JSON object"};
        if (const auto found = auth->find("token"); found != auth->end() && !found->is_null()) {
            if (!found->is_string()) {
                services_.metrics.authentication_errors(auth::reason(auth::Failure::malformed)).Increment();
                return Error{Errc::unauthenticated, std::string(auth::message(auth::Failure::malformed))};
            }
            token = found->get<std::string>();
        }
    }
    if (token.empty() && request_claims_) {
        if (!request_claims_->expires_at || *request_claims_->expires_at > services_.clock.wall()) return request_claims_;
        services_.metrics.authentication_errors(auth::reason(auth::Failure::expired)).Increment();
        return auth::Verdict(auth::Failure::expired).error();
    }
    const bool from_request = token.empty();
    if (from_request) token = peer_.token;
    if (token.empty() && services_.options.allow_anonymous) return std::make_shared<const Claims>();

    auth::Verdict verdict = services_.verifier.verify(token);
    if (!verdict) {
        services_.metrics.authentication_errors(auth::reason(verdict.failure())).Increment();
        return verdict.error();
    }
    if (from_request) {
        request_claims_ = verdict.claims();
        peer_.token = std::string();  // its claims are all that is needed, and ten thousand tokens are megabytes
    }
    return verdict.claims();
}

void Client::ask_connect(Namespace &nsp, Attempt attempt) {
    std::string correlation_id = new_correlation_id();
    std::string asked = context(*attempt.claims, attempt.key, attempt.socket_id, nsp.name, correlation_id);
    services_.queries.connect(nsp.name, std::move(asked), std::move(correlation_id),
                              [&services = services_, id = id_, attempt = std::move(attempt)](Result<db::ConnectAnswer> answer) mutable {
                                  if (Client *client = services.clients.find(id))
                                      client->connect_answered(std::move(attempt), std::move(answer));
                              });
}

void Client::connect_answered(Attempt attempt, Result<db::ConnectAnswer> answer) {
    Namespace *nsp = find(attempt.serial);
    if (ending_ || nsp == nullptr || nsp->state != State::connecting) return;
    if (!answer) {
        Error error = std::move(answer).error();
        if (error.code == Errc::not_found) error.detail = "Invalid namespace";
        if (error.code == Errc::unauthenticated || error.code == Errc::forbidden) {
            services_.metrics.authentication_errors(auth::reason(auth::Failure::forbidden)).Increment();
        }
        return reject(*nsp, error);
    }
    services_.metrics.know_namespace(nsp->name);  // SQL vouched for it: it may be a label
    hub::Hub &hub = services_.hub;
    nsp->session = hub.add_session(
        id_, {.protocol = protocol_, .nsp = nsp->name, .key = attempt.key, .socket_id = attempt.socket_id, .claims = attempt.claims});
    if (!nsp->session) return;  // the socket is just going; closed() will follow
    std::string connected = socketio() ? codec::socketio::connected(nsp->name, attempt.socket_id.view())
                                       : codec::native::connected(attempt.key.view(), answer->position.text());
    const std::vector<std::string_view> rooms(answer->rooms.begin(), answer->rooms.end());
    switch (hub.join(nsp->session, rooms, answer->position.position, hub::make_frame(std::move(connected)))) {
        case hub::Join::joined:
        case hub::Join::already: return accepted(*nsp, *attempt.claims);
        case hub::Join::evicted:
        case hub::Join::too_old:  // what went by since the decision is not here any more: a fresh one is better than a hole
            hub.remove_session(nsp->session);
            if (--attempt.tries > 0) return ask_connect(*nsp, std::move(attempt));
            return reject(*nsp, Error{Errc::unavailable, "the server is too busy, try again"});
        case hub::Join::too_many:
            log::warn("a connect function gave too many rooms", {{"namespace", nsp->name}, {"rooms", rooms.size()}});
            hub.remove_session(nsp->session);
            return reject(*nsp, Error{Errc::internal, "too many rooms"});
        case hub::Join::gone: return;
    }
}

void Client::accepted(Namespace &nsp, const Claims &claims) {
    nsp.state = State::connected;
    ever_connected_ = true;
    services_.metrics.connections_opened(nsp.name, "websocket").Increment();
    nsp.expires_at = 0;
    if (claims.expires_at) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*claims.expires_at - services_.clock.wall());
        nsp.expires_at = services_.deadlines.now() + std::max<std::int64_t>(left.count(), 0);
    }
    arm_deadline();
    if (nsp.waiting) done(nsp.serial);  // what the client sent while it waited
}

void Client::reject(Namespace &nsp, const Error &error) {
    nsp.state = State::ended;
    nsp.session = SessionId{};
    nsp.waiting.reset();
    refuse_connect(nsp.name, error);
}

void Client::refuse_connect(std::string_view nsp, const Error &error) {
    log::debug("connect refused", {{"namespace", nsp}, {"code", info(error.code).code}});
    if (socketio()) {
        services_.hub.send(id_, hub::make_frame(codec::socketio::connect_error(nsp, error.detail, codec::connect_error_data(error))));
        return;  // the connection stays: other namespaces, or another try with a better token
    }
    services_.hub.send(id_, hub::make_frame(codec::native::error(error, {})));
    end_connection(error.code);
}

}  // namespace bridge::handlers
