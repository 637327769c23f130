#include "handlers/remains.hpp"

#include <algorithm>
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"
#include "handlers/services.hpp"

namespace bridge::handlers {

namespace {

// Its handler sent the client away: what came behind would not have been handled either.
bool disconnects(const Result<db::HandleAnswer> &answer) {
    if (!answer) return false;
    const auto effects = json::elements(answer->effects, {.max_bytes = answer->effects.size() + 1, .max_depth = 10'000});
    return effects &&
           std::any_of(effects->begin(), effects->end(), [](std::string_view one) { return one.starts_with(R"({"disconnect":)"); });
}

}  // namespace

void Remains::leave(Services &services, Key key, std::string context, std::deque<codec::Inbound> packets, bool running) {
    std::erase_if(packets, [](const codec::Inbound &packet) {
        return packet.kind != codec::Inbound::Kind::event || packet.event.starts_with("room:") || packet.event == "ping" ||
               packet.event == "heartbeat";
    });
    if (packets.empty() && !running) return;
    if (events_ + packets.size() > kMost) {
        services.metrics.queue_refusals().Increment(static_cast<double>(packets.size()));
        log::warn("events of connections that ended are dropped: too many wait", {{"events", packets.size()}});
        packets.clear();
    }
    events_ += packets.size();
    left_.insert_or_assign(key, Left{std::move(context), std::move(packets)});
    if (!running) next(services, key);
}

void Remains::run(Services &services, Key key, codec::Inbound packet) {
    const auto left = left_.find(key);
    if (left == left_.end()) return;
    db::HandleRequest request;
    request.nsp = packet.nsp;
    request.event = packet.event;
    request.args = std::move(packet.args);
    request.attachments = std::move(packet.attachments);
    request.trace = {std::string(services.rng.id().view()), std::move(packet.traceparent)};
    request.context = left->second.context;
    request.context.pop_back();
    request.context += R"(,"correlationId":)" + json::quote(request.trace.correlation_id);
    if (!request.trace.traceparent.empty()) request.context += R"(,"traceparent":)" + json::quote(request.trace.traceparent);
    request.context += '}';
    services.queries.handle(std::move(request),
                            [this, &services, key, nsp = packet.nsp, event = packet.event](Result<db::HandleAnswer> answer) {
                                if (answer || answer.error().code != Errc::not_found) services.metrics.know_event(event);
                                services.metrics.messages_received(nsp, event).Increment();
                                answered(services, key, answer);
                            });
}

void Remains::answered(Services &services, Key key, const Result<db::HandleAnswer> &answer) {
    const auto left = left_.find(key);
    if (left == left_.end()) return;
    if (disconnects(answer)) return drop(left);
    next(services, key);
}

void Remains::next(Services &services, Key key) {
    const auto left = left_.find(key);
    if (left->second.packets.empty()) return drop(left);
    codec::Inbound packet = std::move(left->second.packets.front());
    left->second.packets.pop_front();
    --events_;
    run(services, key, std::move(packet));
}

void Remains::drop(std::map<Key, Left>::iterator left) {
    events_ -= left->second.packets.size();
    left_.erase(left);
}

}  // namespace bridge::handlers
