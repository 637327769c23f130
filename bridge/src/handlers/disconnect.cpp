// The ends of a session: the client leaves a namespace, a handler or an expired token ends it, nobody connected in time.
// On Socket.IO a `41` means "do not come back by yourself"; a closed socket means "come back". Native clients read the close code.
#include <algorithm>
#include <limits>
#include <utility>

#include "base/log.hpp"
#include "codec/outbound.hpp"
#include "codec/socketio.hpp"
#include "handlers/client.hpp"

namespace bridge::handlers {

namespace {

// Whose right has ended, or whom a handler has sent away, is not heard any more.
bool may_go_on(std::string_view reason) {
    return reason != info(Errc::revoked).reason && reason != info(Errc::token_expired).reason && reason != info(Errc::evicted).reason;
}

}  // namespace

void Client::disconnect(const codec::Inbound &packet) {
    Namespace *nsp = find(packet.nsp);
    if (nsp->state == State::connected) {
        forget_session(*nsp, "client_disconnect", Row::forgets);
    } else {
        forget_session(*nsp, "client_disconnect", Row::forgets);  // the answer that is under way finds nobody
    }
    if (!socketio()) return end_connection(Errc::client_close);
    end_if_drained();
}

void Client::end_session(Namespace &nsp, Errc why) {
    // Who comes back with a better token has lost nothing; who was sent away begins anew.
    const Row row = why == Errc::token_expired ? Row::keeps : Row::forgets;
    if (socketio()) {
        if (nsp.state == State::connected) {
            services_.hub.send(nsp.session, hub::make_frame(codec::socketio::disconnected(nsp.name)));
        }
        forget_session(nsp, info(why).reason, row);
        return end_if_drained();
    }
    forget_session(nsp, info(why).reason, row);
    end_connection(why);
}

void Client::forget_session(Namespace &nsp, std::string_view reason, Row row) {
    if (nsp.state == State::connected) services_.metrics.connections_closed(nsp.name, transport_, reason).Increment();
    if (const hub::Session *session = services_.hub.find(nsp.session)) {
        leave_asks(nsp);
        if (may_go_on(reason)) leave_events(nsp);
        services_.leases.ended(session->key);
        if (row == Row::keeps && services_.options.recovery) {
            services_.bookkeeper.ended(session->key, nsp.generation);
        } else if (row != Row::lost) {
            services_.bookkeeper.forgotten(session->key, nsp.generation);
        }
        services_.hub.remove_session(nsp.session);
    }
    nsp.state = State::ended;
    nsp.session = SessionId{};
    nsp.serial = ++last_serial_;
    nsp.expires_at = 0;
    nsp.waiting.reset();
}

void Client::kick(Errc why) {
    if (ending_) return;
    for (auto &nsp : namespaces_) {
        if (nsp->state == State::connected) end_session(*nsp, why);
    }
    end_connection(why);
}

void Client::revoke(SessionId session) {
    Namespace *nsp = find(session);
    if (nsp == nullptr || ending_) return;
    Error revoked = auth::Verdict(auth::Failure::revoked).error();
    revoked.code = Errc::revoked;
    services_.metrics.authentication_errors("revoked").Increment();
    services_.hub.send(session, hub::make_frame(codec::error_frame(protocol_, nsp->name, {}, revoked, {}, offset(nsp))));
    end_session(*nsp, Errc::revoked);
}

void Client::arm_deadline() {
    std::int64_t next = std::numeric_limits<std::int64_t>::max();
    if (!ever_connected_) next = opened_at_ + services_.options.connect_timeout.count();
    for (const auto &nsp : namespaces_) {
        if (nsp->state == State::connected && nsp->expires_at != 0) next = std::min(next, nsp->expires_at);
    }
    if (next == std::numeric_limits<std::int64_t>::max()) {
        services_.deadlines.cancel(alarm_);
    } else {
        services_.deadlines.arm(alarm_, next);
    }
}

void Client::fire_deadline() {
    if (ending_) return;
    const std::int64_t now = services_.deadlines.now();
    if (!ever_connected_ && now >= opened_at_ + services_.options.connect_timeout.count()) return end_connection(Errc::connect_timeout);
    for (auto &nsp : namespaces_) {
        if (nsp->state != State::connected || nsp->expires_at == 0 || now < nsp->expires_at) continue;
        const Error expired = auth::Verdict(auth::Failure::expired).error();
        services_.metrics.authentication_errors(auth::reason(auth::Failure::expired)).Increment();
        services_.hub.send(nsp->session, hub::make_frame(codec::error_frame(protocol_, nsp->name, {}, expired, {}, offset(nsp.get()))));
        end_session(*nsp, Errc::token_expired);
    }
    arm_deadline();
}

}  // namespace bridge::handlers
