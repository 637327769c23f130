// Packing of lines, and the payload of legacy channels.
#include "dispatch/notification.hpp"

#include "pg/pure.hpp"

namespace pulse::dispatch {

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// json[at] is an opening quote; returns the index after the closing one.
static std::size_t skip_string(std::string_view json, std::size_t at) {
    for (++at; at < json.size(); ++at) {
        if (json[at] == '\\')
            ++at;
        else if (json[at] == '"')
            return at + 1;
    }
    return json.size();
}

std::string compact_json(std::string_view json) {
    std::string result;
    result.reserve(json.size());
    for (std::size_t at = 0; at < json.size();) {
        if (json[at] == '"') {
            const std::size_t end = skip_string(json, at);
            result += json.substr(at, end - at);
            at = end;
        } else {
            if (!is_space(json[at]))
                result += json[at];
            ++at;
        }
    }
    return result;
}

void append_json_string(std::string &to, std::string_view text) {
    static const char kHex[] = "0123456789abcdef";
    to += '"';
    for (char c : text) {
        switch (c) {
        case '"':
            to += "\\\"";
            break;
        case '\\':
            to += "\\\\";
            break;
        case '\n':
            to += "\\n";
            break;
        case '\t':
            to += "\\t";
            break;
        case '\r':
            to += "\\r";
            break;
        default:
            if (static_cast<unsigned char>(c) < 0x20) {
                to += "\\u00";
                to += kHex[static_cast<unsigned char>(c) >> 4];
                to += kHex[c & 0xF];
            } else {
                to += c;
            }
        }
    }
    to += '"';
}

// The members of a compact object without those named eventId, without the braces.
static std::string members_without_event_id(std::string_view object) {
    static constexpr std::string_view kKey = "\"eventId\":";
    std::string result;
    std::size_t at = 1;
    const std::size_t end = object.size() - 1;
    while (at < end) {
        const std::size_t start = at;
        int depth = 0;
        for (; at < end && !(depth == 0 && object[at] == ',');) {
            if (object[at] == '"') {
                at = skip_string(object, at);
                continue;
            }
            if (object[at] == '{' || object[at] == '[')
                ++depth;
            else if (object[at] == '}' || object[at] == ']')
                --depth;
            ++at;
        }
        const std::string_view member = object.substr(start, at - start);
        if (member.substr(0, kKey.size()) != kKey) {
            if (!result.empty())
                result += ',';
            result += member;
        }
        ++at;   // the comma
    }
    return result;
}

static std::string id_member(std::int64_t event_id) { return "\"eventId\":\"" + std::to_string(event_id) + '"'; }

std::string legacy_truncated(std::int64_t event_id) { return '{' + id_member(event_id) + ",\"truncated\":true}"; }

std::string legacy_payload(std::string_view payload, std::int64_t event_id) {
    const std::string json = compact_json(payload);
    std::string result;
    if (json.size() >= 2 && json.front() == '{') {
        result = '{' + members_without_event_id(json);
        if (result.size() > 1)
            result += ',';
    } else {
        result = "{\"payload\":" + json + ',';
    }
    result += id_member(event_id) + '}';
    if (result.size() > kMaxLegacyPayload)
        return legacy_truncated(event_id);
    return result;
}

std::string header_line(std::string_view epoch, std::int64_t first, std::int64_t last, std::uint64_t sequence) {
    std::string line(epoch);
    for (const std::string &number : {std::to_string(first), std::to_string(last), std::to_string(sequence)}) {
        line += ' ';
        line += number;
    }
    return line;
}

// 16 digits of epoch, three blanks, two positions and a sequence of at most 20 digits.
static constexpr std::size_t kMaxHeader = 16 + 3 + 3 * 20;

std::size_t Packer::room() const { return kMaxNotification - kMaxHeader - lines_.size(); }

void Packer::send(std::int64_t last) {
    std::string payload = header_line(epoch_, first_, last, ++sequence_);
    payload += lines_;
    bytes_ += payload.size();
    out_.push_back({std::string(channel_), std::move(payload)});
    lines_.clear();
    first_ = last + 1;
}

void Packer::add(const EventLine &event) {
    constexpr std::size_t kLargest = kMaxNotification - kMaxHeader;
    const std::string numbers = '\n' + std::to_string(event.position) + '\t' + std::to_string(event.id) + '\t';
    std::string line = numbers;
    std::string name;
    append_json_string(name, event.name);
    const std::string headers = compact_json(event.headers);
    if (line.size() + event.rooms.size() + name.size() + headers.size() + 3 <= kLargest) {
        line += event.rooms;
        line += '\t';
        line += name;
        line += '\t';
        line += headers;
        line += '\t';
        if (!event.by_reference) {
            const std::string payload = compact_json(event.payload);
            if (line.size() + payload.size() <= kLargest)
                line += payload;
        }
    } else {
        line += "\t\t\t";
    }
    if (line.size() > room() && !lines_.empty())
        send(event.position - 1);
    lines_ += line;
}

void Packer::finish(std::int64_t last) {
    if (last >= first_)
        send(last);
}

}   // namespace pulse::dispatch
