// A client's answer to a question, or that there was none: the function that hears it runs in its turn, like a handler. Each question
// is heard of once. What its session leaves behind when it ends is heard of at once, without it.
#include <utility>

#include "base/log.hpp"
#include "handlers/client.hpp"

namespace bridge::handlers {

using codec::Inbound;

void Client::acknowledged(Namespace &nsp, Inbound packet) {
    if (nsp.state != State::connected || !nsp.asks || !packet.id) return;
    auto function = nsp.asks->take(*packet.id);
    if (!function || function->empty()) return;  // unknown, answered or too late; or nobody wants to know
    packet.event = std::move(*function);
    dispatch(nsp, std::move(packet));
}

void Client::not_answered(Namespace &nsp, std::string function) {
    if (function.empty()) return;
    Inbound nothing;
    nothing.kind = Inbound::Kind::ack;  // without an id: nobody sent it
    nothing.nsp = nsp.name;
    nothing.event = std::move(function);
    dispatch(nsp, std::move(nothing));
}

db::AnswerRequest Client::answer_request(const Namespace &nsp, Inbound packet) {
    db::AnswerRequest request;
    request.trace = new_trace(packet.traceparent.empty() ? nsp.traceparent : std::move(packet.traceparent));
    request.context = context(nsp, request.trace);
    request.function = std::move(packet.event);
    if (packet.id) request.args = std::move(packet.args);
    request.attachments = std::move(packet.attachments);
    return request;
}

void Client::tell_answer(Namespace &nsp, Inbound packet) {
    auto tell = [packet = std::move(packet)](Client &client, Namespace &there, bool stored) mutable {
        if (!stored) {
            log::warn("an answer is lost: the database is not available",
                      {{"namespace", there.name}, log::given("traceparent", packet.traceparent)});
            return client.done(there.serial);
        }
        db::AnswerRequest request = client.answer_request(there, std::move(packet));
        const Trace trace = request.trace;
        client.services_.queries.answer(std::move(request), [&services = client.services_, id = client.id_, serial = there.serial,
                                                             trace](const Result<db::HandleAnswer> &result) {
            services.remains.answered(services, Remains::Key{id, serial}, result);
            if (Client *found = services.clients.find(id)) found->answer_told(serial, trace, result);
        });
    };
    after_leaves(nsp, std::move(tell),
                 [](Services &services, Remains::Key key) { services.remains.answered(services, key, Error{Errc::unavailable}); });
}

void Client::answer_told(std::uint32_t serial, const Trace &trace, const Result<db::HandleAnswer> &result) {
    Namespace *nsp = find(serial);
    if (nsp == nullptr || ending_ || nsp->state != State::connected) return;
    if (!result) {
        log::warn("an answer's function failed", {{"namespace", nsp->name},
                                                  {"code", info(result.error().code).code},
                                                  {"correlationId", trace.correlation_id},
                                                  log::given("traceparent", trace.traceparent)});
    } else if (apply_effects(*nsp, result->effects, result->position, trace).disconnect) {
        return end_session(*nsp, Errc::evicted);
    }
    done(serial);
}

void Client::leave_asks(Namespace &nsp) {
    const auto tell = [&](Inbound packet) {
        services_.queries.answer(answer_request(nsp, std::move(packet)), [](const Result<db::HandleAnswer> &) {});
    };
    if (nsp.waiting) {
        for (Inbound &packet : nsp.waiting->packets) {
            if (packet.kind == Inbound::Kind::ack) tell(std::move(packet));
        }
        std::erase_if(nsp.waiting->packets, [](const Inbound &packet) { return packet.kind == Inbound::Kind::ack; });
    }
    if (!nsp.asks) return;
    for (std::string &function : nsp.asks->take_all()) {
        if (function.empty()) continue;
        Inbound nothing;
        nothing.event = std::move(function);
        tell(std::move(nothing));
    }
    nsp.asks.reset();
}

// What stands behind the running one is not lost with the connection.
void Client::leave_events(Namespace &nsp) {
    if (nsp.state != State::connected || !nsp.waiting) return;
    for (Inbound &packet : nsp.waiting->packets) {
        if (packet.traceparent.empty()) packet.traceparent = nsp.traceparent;
    }
    services_.remains.leave(services_, Remains::Key{id_, nsp.serial}, context(nsp, {}), std::exchange(nsp.waiting->packets, {}),
                            nsp.waiting->in_sql && nsp.waiting->busy);
}

}  // namespace bridge::handlers
