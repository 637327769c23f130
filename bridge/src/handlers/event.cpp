// An event with a name: `ping` and `heartbeat` are answered here at once, everything else is pulse.handle_event's. The handler's effects
// are applied, then the ack goes out as it came; a disconnect comes last, so that the ack still arrives.
#include <memory>
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"
#include "codec/native.hpp"
#include "codec/outbound.hpp"
#include "handlers/client.hpp"

namespace bridge::handlers {

using codec::Inbound;

bool Client::answer_at_once(Namespace &nsp, const Inbound &packet) {
    if (packet.kind == Inbound::Kind::ping) {
        services_.hub.send(nsp.session, hub::make_frame(codec::native::pong()));
        return true;
    }
    if (packet.kind != Inbound::Kind::event) return false;
    const bool ping = packet.event == "ping";
    if (!ping && packet.event != "heartbeat") return false;
    services_.metrics.messages_received(nsp.name, packet.event).Increment();
    const std::string body = R"({"timestamp":")" + iso8601(services_.clock.wall()) + R"("})";
    codec::OutEvent event;
    event.nsp = nsp.name;
    event.name = ping ? R"("pong")" : R"("heartbeat:ack")";
    event.args = body;
    const std::string where = offset(&nsp);
    event.position = where;
    event.offset = true;
    services_.hub.send(nsp.session, hub::make_frame(codec::event_frame(protocol_, event)));
    answer(nsp, packet, "[" + body + "]");
    return true;
}

void Client::event(Namespace &nsp, Inbound packet) {
    if (services_.bookkeeper.stored(nsp.last_change)) return ask_event(nsp, std::move(packet));
    const auto kept = std::make_shared<Inbound>(std::move(packet));
    after_leaves(
        nsp,
        [kept](Client &client, Namespace &there, bool stored) {
            if (stored) return client.ask_event(there, std::move(*kept));
            client.refuse(*kept, Error{Errc::unavailable, "the database is not available, try again", "", 0});
            client.done(there.serial);
        },
        [kept](Services &services, Remains::Key key) { services.remains.run(services, key, std::move(*kept)); });
}

void Client::ask_event(Namespace &nsp, Inbound packet) {
    Trace trace = new_trace(packet.traceparent);
    db::HandleRequest request;
    request.nsp = nsp.name;
    request.event = packet.event;
    request.args = std::move(packet.args);
    request.context = context(nsp, trace);
    request.attachments = std::move(packet.attachments);
    request.trace = trace;
    services_.queries.handle(std::move(request), [&services = services_, id = id_, serial = nsp.serial, packet = std::move(packet),
                                                  trace = std::move(trace)](Result<db::HandleAnswer> result) {
        services.remains.answered(services, Remains::Key{id, serial}, result);
        if (Client *client = services.clients.find(id)) {
            client->event_answered(serial, packet, trace, std::move(result));
        }
    });
}

void Client::event_answered(std::uint32_t serial, const Inbound &packet, const Trace &trace, Result<db::HandleAnswer> result) {
    Namespace *nsp = find(serial);
    if (nsp == nullptr) return;
    // Counted now and not on arrival: only the answer tells whether the name is one of ours or a client's invention.
    // A limit of all events is asked before.
    if (result || (result.error().code != Errc::not_found && result.error().code != Errc::rate_limited)) {
        services_.metrics.know_event(packet.event);
    }
    services_.metrics.messages_received(nsp->name, packet.event).Increment();
    if (ending_ || nsp->state != State::connected) return;
    if (!result) {
        refuse(packet, result.error(), trace.correlation_id);
        done(serial);
        return;
    }
    const Applied applied = apply_effects(*nsp, result->effects, result->position, trace);
    answer(*nsp, packet, result->ack, applied.attachments);
    if (applied.disconnect) {
        log::info("a handler disconnected its session",
                  {{"namespace", nsp->name}, {"correlationId", trace.correlation_id}, log::given("traceparent", trace.traceparent)});
        return end_session(*nsp, Errc::evicted);
    }
    done(serial);
}

}  // namespace bridge::handlers
