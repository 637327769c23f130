// The grammar: <type>[<attachments>-][<namespace>,][<id>][<JSON>], then <attachments> binary messages.
#include "codec/socketio.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "codec/engineio.hpp"
#include "codec/websocket_frame.hpp"

namespace bridge::codec::socketio {

namespace {

constexpr std::array<std::string_view, 6> kReserved{"connect",       "connect_error", "disconnect",
                                                    "disconnecting", "newListener",   "removeListener"};

Error violation(const char *what) { return {Errc::protocol_error, what, {}}; }

std::string_view take_digits(std::string_view &in) {
    std::size_t n = 0;
    while (n < in.size() && in[n] >= '0' && in[n] <= '9') ++n;
    const std::string_view digits = in.substr(0, n);
    in.remove_prefix(n);
    return digits;
}

// Every {"_placeholder":true,…} must name one of the attachments. Depth is bounded by the parser before.
bool placeholders_fit(const json::Value &value, std::size_t count) {
    if (value.is_object()) {
        const auto mark = value.find("_placeholder");
        if (mark != value.end() && mark->is_boolean() && mark->get<bool>()) {
            const auto num = value.find("num");
            if (num == value.end() || !num->is_number_unsigned() || num->get<std::uint64_t>() >= count) return false;
        }
    }
    if (!value.is_structured()) return true;
    return std::all_of(value.begin(), value.end(), [count](const json::Value &child) { return placeholders_fit(child, count); });
}

Result<void> read_event(std::string_view body, const json::Limits &limits, Inbound &packet) {
    auto elements = json::elements(body, limits);
    if (!elements) return violation("event payload is not an array");
    if (elements->empty()) return violation("event without a name");
    const std::string_view first = elements->front();
    if (first[0] == '"') {
        auto name = json::unquote(first);
        if (!name || name->find('\0') != std::string::npos) {
            packet.problem = Error{Errc::invalid, "event names must be text without NUL", {}};
        } else if (reserved_event(*name)) {
            return violation("reserved event name");
        } else {
            packet.event = std::move(*name);
        }
    } else if (first[0] == '-' || (first[0] >= '0' && first[0] <= '9')) {
        packet.event = first;
    } else {
        return violation("event name is neither string nor number");
    }
    if (elements->size() > 1) {
        const char *from = (*elements)[1].data();
        const char *to = elements->back().data() + elements->back().size();
        packet.args.assign(1, '[').append(from, to).append(1, ']');
    }
    return {};
}

Result<void> read_ack(std::string_view body, const json::Limits &limits, Inbound &packet) {
    const auto kind = json::scan(body, limits);
    if (!kind || *kind != json::Kind::array) return violation("ack payload is not an array");
    if (!packet.id) return violation("ack without id");
    packet.args = body;
    return {};
}

std::string namespace_prefix(std::string_view nsp) { return nsp == "/" ? std::string() : std::string(nsp) + ','; }

}  // namespace

bool reserved_event(std::string_view name) { return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end(); }

struct Decoder::Pending {
    Inbound packet;
    std::size_t expected = 0;
    std::size_t bytes = 0;
};

Decoder::Decoder() noexcept = default;
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder &&) noexcept = default;
Decoder &Decoder::operator=(Decoder &&) noexcept = default;

Result<std::optional<Inbound>> Decoder::text(std::string_view payload, const Limits &limits) {
    if (pending_) return violation("text between the attachments of a packet");
    if (payload.size() > limits.max_payload) return Error{Errc::payload_too_large, "message is too large", {}};
    if (payload.empty()) return violation("empty packet");
    const char type = payload[0];
    std::string_view rest = payload.substr(1);
    if (type < '0' || type > '6') return violation("unknown packet type");

    std::size_t attachments = 0;
    if (type == '5' || type == '6') {
        const std::string_view digits = take_digits(rest);
        if (digits.empty() || digits.size() > 2 || !rest.starts_with('-')) return violation("malformed attachment count");
        for (char digit : digits) attachments = attachments * 10 + static_cast<std::size_t>(digit - '0');
        if (attachments > kMaxAttachments) return violation("too many attachments");
        rest.remove_prefix(1);
    }

    Inbound packet;
    if (rest.starts_with('/')) {
        const std::size_t comma = rest.find(',');
        const std::string_view nsp = rest.substr(0, comma);
        if (nsp.size() > limits.max_namespace) return violation("namespace is too long");
        if (!json::valid_utf8(nsp) || nsp.find('\0') != std::string_view::npos) return violation("malformed namespace");
        packet.nsp = nsp;
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
    if (const std::string_view id = take_digits(rest); !id.empty()) {
        if (id.size() > limits.max_id_digits) return violation("ack id is too long");
        packet.id = id;
    }
    const bool may_have_id = type == '2' || type == '3' || type == '5' || type == '6';
    if (packet.id && !may_have_id) return violation("id where none belongs");

    const json::Limits json_limits{limits.max_payload, limits.max_depth, false};
    switch (type) {
        case '0': {
            packet.kind = Inbound::Kind::connect;
            if (!rest.empty()) {
                const auto kind = json::scan(rest, json_limits);
                if (!kind || *kind != json::Kind::object) return violation("connect payload is not an object");
                packet.payload = rest;
            }
            break;
        }
        case '1':
            packet.kind = Inbound::Kind::disconnect;
            if (!rest.empty()) return violation("disconnect with a payload");
            break;
        case '2':
        case '5':
            packet.kind = Inbound::Kind::event;
            BRIDGE_CHECK(read_event(rest, json_limits, packet));
            break;
        case '3':
        case '6':
            packet.kind = Inbound::Kind::ack;
            BRIDGE_CHECK(read_ack(rest, json_limits, packet));
            break;
        default: return violation("connect_error from a client");
    }

    if (type == '5' || type == '6') {
        const auto tree = json::parse(rest, json_limits);
        if (!tree) return violation("malformed JSON in a binary packet");
        if (!placeholders_fit(*tree, attachments)) return violation("placeholder without attachment");
        if (attachments > 0) {
            pending_ = std::make_unique<Pending>();
            pending_->packet = std::move(packet);
            pending_->expected = attachments;
            pending_->bytes = payload.size();
            return std::optional<Inbound>();
        }
    }
    return std::optional<Inbound>(std::move(packet));
}

Result<std::optional<Inbound>> Decoder::binary(std::string_view bytes, const Limits &limits) {
    if (!pending_) return violation("binary message out of turn");
    pending_->bytes += bytes.size();
    if (bytes.size() > limits.max_payload || pending_->bytes > 2 * limits.max_payload) {
        return Error{Errc::payload_too_large, "packet is too large", {}};
    }
    pending_->packet.attachments.emplace_back(bytes);
    if (pending_->packet.attachments.size() < pending_->expected) return std::optional<Inbound>();
    std::optional<Inbound> done(std::move(pending_->packet));
    pending_.reset();
    return done;
}

std::string connected(std::string_view nsp, std::string_view sid, std::string_view pid) {
    std::string body = "{\"sid\":" + json::quote(sid);
    if (!pid.empty()) body += ",\"pid\":" + json::quote(pid);
    return text_frame({"40", namespace_prefix(nsp), body, "}"});
}

std::string connect_error(std::string_view nsp, std::string_view message, std::string_view data_json) {
    return text_frame(
        {"44", namespace_prefix(nsp), "{\"message\":", json::quote(message), data_json.empty() ? "" : ",\"data\":", data_json, "}"});
}

std::string disconnected(std::string_view nsp) { return text_frame({"41", namespace_prefix(nsp)}); }

std::string event(const Event &event) {
    const bool binary = !event.attachments.empty();
    std::string out;
    append_frame(out, Opcode::text,
                 {"4", binary ? "5" + std::to_string(event.attachments.size()) + "-" : std::string("2"), namespace_prefix(event.nsp),
                  event.id, "[", event.name, event.args.empty() ? "" : ",", event.args, event.offset.empty() ? "" : ",\"", event.offset,
                  event.offset.empty() ? "" : "\"", "]"});
    for (const std::string &bytes : event.attachments) engineio::append_attachment(out, bytes, event.base64);
    return out;
}

std::string ack(std::string_view nsp, std::string_view id, std::string_view args, std::span<const std::string> attachments, bool base64) {
    std::string out;
    append_frame(
        out, Opcode::text,
        {"4", attachments.empty() ? std::string("3") : "6" + std::to_string(attachments.size()) + "-", namespace_prefix(nsp), id, args});
    for (const std::string &bytes : attachments) engineio::append_attachment(out, bytes, base64);
    return out;
}

}  // namespace bridge::codec::socketio
