// Reads the members of one object as raw slices, so that `args` and `id` stay as the client wrote them.
#include "codec/native.hpp"

#include "base/base64.hpp"
#include "base/json.hpp"
#include "base/traceparent.hpp"
#include "codec/socketio.hpp"
#include "codec/websocket_frame.hpp"

namespace bridge::codec::native {

namespace {

struct Fields {
    std::string_view type, event, room, since, args, attachments, id, traceparent;  // raw; empty: absent
};

Fields sort_out(const std::vector<json::Member> &members) {
    Fields fields;
    for (const json::Member &member : members) {
        if (member.key == "type") fields.type = member.value;
        if (member.key == "event") fields.event = member.value;
        if (member.key == "room") fields.room = member.value;
        if (member.key == "since") fields.since = member.value;
        if (member.key == "args") fields.args = member.value;
        if (member.key == "attachments") fields.attachments = member.value;
        if (member.key == "id") fields.id = member.value;
        if (member.key == "traceparent") fields.traceparent = member.value;
    }
    return fields;
}

Error bad(std::string message) { return {Errc::bad_request, std::move(message), {}}; }

// A name in a JSON string of 1…max bytes without NUL.
Result<std::string> name(std::string_view raw, std::string_view what, std::size_t max) {
    auto text = json::unquote(raw);
    if (!text || text->empty() || text->size() > max || text->find('\0') != std::string::npos) {
        return bad(std::string(what) + " must be a string of 1 to " + std::to_string(max) + " bytes");
    }
    return text;
}

Result<void> read_attachments(std::string_view raw, Inbound &packet, const Limits &limits) {
    if (raw.empty() || raw == "null") return {};
    const auto list = json::elements(raw, {limits.max_payload, limits.max_depth, false});
    if (!list || list->size() > kMaxAttachments) {
        return bad("attachments must be an array of at most " + std::to_string(kMaxAttachments) + " strings");
    }
    for (const std::string_view element : *list) {
        auto bytes = element[0] == '"' ? base64::decode(element.substr(1, element.size() - 2)) : std::nullopt;
        if (!bytes) return bad("an attachment must be a string of base64");
        packet.attachments.push_back(std::move(*bytes));
    }
    return {};
}

Result<void> fill(Inbound &packet, std::string_view type, const Fields &fields, std::string_view message, const Limits &limits) {
    using Kind = Inbound::Kind;
    if (type == "connect") {
        packet.kind = Kind::connect;
        packet.payload = message;
    } else if (type == "ping") {
        packet.kind = Kind::ping;
    } else if (type == "emit" || type == "ack") {
        packet.kind = type == "emit" ? Kind::event : Kind::ack;
        if (!fields.args.empty()) {
            if (fields.args[0] != '[') return bad("args must be an array");
            packet.args = fields.args;
        }
        BRIDGE_CHECK(read_attachments(fields.attachments, packet, limits));
        if (packet.kind == Kind::ack) {
            if (!packet.id) return bad("ack without id");
            return {};
        }
        BRIDGE_TRY(event, name(fields.event, "event", limits.max_event_name));
        if (socketio::reserved_event(event)) return bad("reserved event name");
        packet.event = std::move(event);
    } else if (type == "join" || type == "leave") {
        packet.kind = type == "join" ? Kind::join : Kind::leave;
        BRIDGE_TRY(room, name(fields.room, "room", limits.max_room));
        packet.room = std::move(room);
        if (packet.kind == Kind::join && !fields.since.empty() && fields.since != "null") {
            BRIDGE_TRY(since, name(fields.since, "since", limits.max_room));
            packet.since = std::move(since);
        }
    } else {
        Error error = bad("unknown type");
        error.hint = "type is one of connect, emit, join, leave, ack, ping";
        return error;
    }
    return {};
}

void append_attachments(std::string &out, std::span<const std::string> attachments) {
    if (attachments.empty()) return;
    out += ",\"attachments\":[";
    for (const std::string &bytes : attachments) {
        out.append(1, '"').append(base64::encode(bytes)).append("\",");
    }
    out.back() = ']';
}

}  // namespace

Result<Inbound> decode(std::string_view message, const Limits &limits) {
    if (message.size() > limits.max_payload) return Error{Errc::payload_too_large, "message is too large", {}};
    const auto members = json::members(message, {limits.max_payload, limits.max_depth, false});
    if (!members) return Error{Errc::protocol_error, members.error().detail, {}};
    const Fields fields = sort_out(*members);

    Inbound packet;
    if (!fields.id.empty()) {
        const char first = fields.id[0];
        const bool text_or_number = first == '"' || first == '-' || (first >= '0' && first <= '9');
        if (!text_or_number || fields.id.size() > limits.max_id) {
            packet.problem = bad("id must be a number or string of at most " + std::to_string(limits.max_id) + " bytes");
            return packet;
        }
        packet.id = fields.id;
    }
    if (auto trace = json::unquote(fields.traceparent); trace && is_traceparent(*trace)) packet.traceparent = std::move(*trace);
    const auto type = json::unquote(fields.type);
    auto filled = fill(packet, type ? std::string_view(*type) : std::string_view(), fields, message, limits);
    if (!filled) packet.problem = std::move(filled).error();
    return packet;
}

std::string connected(const Connected &connected) {
    std::string tail;
    if (!connected.recovery.empty()) {
        tail = ",\"recovery\":" + json::quote(connected.recovery) + ",\"recovered\":" + (connected.recovered ? "true" : "false");
        if (!connected.must_refetch.empty()) tail += ",\"mustRefetch\":" + json::quote(connected.must_refetch);
    }
    return text_frame({"{\"type\":\"connected\",\"session\":", json::quote(connected.session),
                       ",\"position\":", json::quote(connected.position), tail, "}"});
}

std::string ack(std::string_view raw_id, std::string_view args_json, std::span<const std::string> attachments) {
    std::string tail;
    append_attachments(tail, attachments);
    return text_frame({"{\"type\":\"ack\",\"id\":", raw_id, ",\"args\":", args_json, tail, "}"});
}

std::string pong() { return text_frame({"{\"type\":\"pong\"}"}); }

static std::string event_tail(const Event &event) {
    std::string tail;
    const auto text = [&tail](std::string_view key, std::string_view value) {
        if (value.empty()) return;
        tail += key;
        json::append_quoted(tail, value);
    };
    text(",\"room\":", event.room);
    text(",\"position\":", event.position);
    if (!event.id.empty()) tail.append(",\"id\":").append(event.id);
    append_attachments(tail, event.attachments);
    return tail;
}

std::string event(const Event &event) {
    return text_frame({"{\"type\":\"event\",\"event\":", event.name, ",\"args\":[", event.args, "]", event_tail(event), "}"});
}

void append_event(std::string &out, const Event &event) {
    out.append("\"event\":").append(event.name).append(",\"args\":[").append(event.args).append("]").append(event_tail(event));
}

std::string error(const Error &error, const ErrorDetails &details, std::string_view raw_id) {
    std::string inner = error_json(error, details);
    inner.pop_back();
    inner.erase(0, 1);
    return text_frame({"{\"type\":\"error\",", inner, raw_id.empty() ? "" : ",\"id\":", raw_id, "}"});
}

}  // namespace bridge::codec::native
