// What a handler, an answer or a connect function asked for (bridge.md), in its order. JSON stays as it came.
#include <charconv>
#include <utility>
#include <vector>

#include "base/base64.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "codec/outbound.hpp"
#include "handlers/client.hpp"

namespace bridge::handlers {

namespace {

// Our own text: any depth and any keys are the application's business.
json::Limits limits(std::string_view text) { return {.max_bytes = text.size() + 1, .max_depth = 10'000}; }
Result<std::vector<std::string_view>> elements(std::string_view text) { return json::elements(text, limits(text)); }
Result<std::vector<json::Member>> members(std::string_view text) {
    return json::members(text, limits(text), 100, json::DuplicateKeys::kept);
}

// ["base64",…]
std::vector<std::string> bytes_of(std::string_view list) {
    std::vector<std::string> out;
    const auto texts = elements(list);
    if (!texts) return out;
    for (const std::string_view text : *texts) out.push_back(base64::decode(text.substr(1, text.size() - 2)).value_or(""));
    return out;
}

// What stands between the brackets of an array.
std::string_view inside(std::string_view array) { return array.size() < 2 ? std::string_view() : array.substr(1, array.size() - 2); }

}  // namespace

Client::Applied Client::apply_effects(Namespace &nsp, std::string_view list, const Cursor &position, const Trace &trace) {
    Applied applied;
    const auto effects = elements(list);
    if (!effects) return applied;
    // All of them take effect at one moment. Leaves come last: what reached the session by a room it is leaving, since the handler's
    // snapshot, must not reach it again by the replay of one it is joining.
    std::vector<std::string> left;
    for (const std::string_view effect : *effects) {
        const auto parts = members(effect);
        if (!parts || parts->empty()) continue;
        const auto &[name, value] = parts->front();
        if (name == "join" || name == "leave") {
            const auto room = json::unquote(value);
            if (!room) continue;
            if (name == "leave") {
                left.push_back(*room);
                present(nsp, false, value);
            } else {
                std::erase(left, *room);
                join_given(nsp, *room, position, trace);
            }
        } else if (name == "reply") {
            reply(nsp, value, false);
        } else if (name == "replyArgs") {
            reply(nsp, value, true);
        } else if (name == "ask") {
            ask(nsp, value, trace);
        } else if (name == "attach") {
            applied.attachments = bytes_of(value);
        } else if (name == "track" || name == "untrack") {
            present(nsp, name == "track", value);
        } else if (name == "unstored") {
            write_presence(nsp, value);
        } else if (name == "disconnect") {
            applied.disconnect = true;
        }
    }
    for (const std::string &room : left) services_.hub.leave(nsp.session, room);
    return applied;
}

void Client::present(Namespace &nsp, bool there, std::string_view value) {
    const hub::Session *session = services_.hub.find(nsp.session);
    if (session == nullptr) return;
    if (there) {
        services_.leases.tracked({session->key, nsp.generation, session->claims->user_id}, value);
    } else if (const auto room = json::unquote(value)) {
        const std::uint64_t before = services_.bookkeeper.last();
        services_.leases.untracked(session->key, *room);
        if (const std::uint64_t last = services_.bookkeeper.last(); last != before)
            nsp.last_change = last;  // what tracks it again comes behind it
    }
}

// What the session does next comes behind it.
void Client::write_presence(Namespace &nsp, std::string_view rooms) {
    const hub::Session *session = services_.hub.find(nsp.session);
    if (session == nullptr) return;
    if (const std::uint64_t last = services_.leases.write_unstored(session->key, rooms)) nsp.last_change = last;
}

void Client::join_given(Namespace &nsp, const std::string &room, const Cursor &position, const Trace &trace) {
    const log::Field id = log::given("correlationId", trace.correlation_id), traceparent = log::given("traceparent", trace.traceparent);
    switch (services_.hub.join(nsp.session, room, position.position)) {
        case hub::Join::too_old:  // the answer was long under way: go on from here, and say so
            log::warn("a handler's join came too late to be replayed", {{"namespace", nsp.name}, id, traceparent});
            (void)services_.hub.join(nsp.session, room, services_.hub.head());
            return;
        case hub::Join::evicted:  // what the handler gave was taken back before its answer came
            log::debug("a handler's join was taken back by an eviction", {{"namespace", nsp.name}, id, traceparent});
            return;
        case hub::Join::too_many:
            log::warn("a handler's join was refused: too many rooms", {{"namespace", nsp.name}, id, traceparent});
            return;
        case hub::Join::joined:
        case hub::Join::already:
        case hub::Join::gone: return;
    }
}

// ["event",payload] or ["event",[args]], and the attachments.
void Client::reply(Namespace &nsp, std::string_view message, bool many) {
    const auto parts = elements(message);
    if (!parts || parts->size() < 2) return;
    const std::vector<std::string> attachments = parts->size() > 2 ? bytes_of((*parts)[2]) : std::vector<std::string>();
    hub::Event event;
    event.rooms = "[]";
    event.name = (*parts)[0];
    event.headers = "{}";
    event.payload = many ? inside((*parts)[1]) : (*parts)[1];
    event.attachments = attachments;
    services_.hub.send_event(nsp.session, event);
}

void Client::ask(Namespace &nsp, std::string_view question, const Trace &trace) {
    const auto parts = members(question);
    if (!parts) return;
    codec::OutEvent event;
    event.nsp = nsp.name;
    std::int64_t timeout = 0;
    std::string hears;
    std::vector<std::string> attachments;
    for (const auto &[name, value] : *parts) {
        if (name == "event") event.name = value;
        if (name == "payload") event.args = value;
        if (name == "timeout") std::from_chars(value.data(), value.data() + value.size(), timeout);
        if (name == "answer" && value != "null") hears = json::unquote(value).value_or("");
        if (name == "attachments") attachments = bytes_of(value);
    }
    if (!nsp.asks) {
        nsp.asks = std::make_unique<Asks>(services_.deadlines, services_.rng, [this, serial = nsp.serial](std::string function) {
            if (Namespace *asked = find(serial)) not_answered(*asked, std::move(function));
        });
    }
    const auto id = nsp.asks->add(hears, timeout);
    if (!id) {
        log::warn(
            "a question was not asked: too many wait for their answer",
            {{"namespace", nsp.name}, log::given("correlationId", trace.correlation_id), log::given("traceparent", trace.traceparent)});
        return not_answered(nsp, std::move(hears));
    }
    const std::string digits = std::to_string(*id);
    event.id = digits;
    event.attachments = attachments;
    services_.hub.send(nsp.session, hub::make_frame(codec::event_frame(protocol_, event)));
}

}  // namespace bridge::handlers
