// Packing of lines, and the payload of legacy channels.
#include "dispatch/notification.hpp"

#include "json/slice.hpp"

#include "pg/pure.hpp"

namespace pulse::dispatch {

static std::string id_member(std::int64_t event_id) { return "\"eventId\":\"" + std::to_string(event_id) + '"'; }

std::string legacy_truncated(std::int64_t event_id) { return '{' + id_member(event_id) + ",\"truncated\":true}"; }

// An object without its members of that name; the others keep their order.
static std::string without_event_id(std::string_view object) {
    const auto members = json::members(object);
    if (!members || !json::find(*members, "eventId")) return std::string(object);
    std::string result = "{";
    for (const json::Member &member : *members) {
        if (member.key == "eventId") continue;
        if (result.size() > 1) result += ',';
        json::append_quoted(result, member.key);
        result += ':';
        result += member.value;
    }
    return result += '}';
}

std::string legacy_payload(std::string_view payload, std::int64_t event_id) {
    std::string result = json::compact(payload);
    if (json::kind(result) == json::Kind::kObject) {
        result = without_event_id(result);
        result.pop_back();
        if (result.size() > 1) result += ',';
    } else {
        result = "{\"payload\":" + result + ',';
    }
    result += id_member(event_id) + '}';
    return result.size() > kMaxLegacyPayload ? legacy_truncated(event_id) : result;
}

std::string header_line(std::string_view epoch, std::int64_t first, std::int64_t last, std::uint64_t sequence) {
    std::string line(epoch);
    for (const std::string &number : {std::to_string(first), std::to_string(last), std::to_string(sequence)}) {
        line += ' ';
        line += number;
    }
    return line;
}

std::vector<std::string> pack_ephemeral(std::string_view epoch, const std::vector<std::string> &lines, std::uint64_t &sequence,
                                        std::uint64_t dropped) {
    std::vector<std::string> out;
    for (const std::string &line : lines) {
        if (out.empty() || out.back().size() + 1 + line.size() > kMaxNotification)
            out.push_back(std::string(epoch) + " ~ " + std::to_string(++sequence) + ' ' + std::to_string(dropped));
        out.back().append(1, '\n').append(line);
    }
    return out;
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
    json::append_quoted(name, event.name);
    const std::string headers = json::compact(event.headers);
    if (line.size() + event.rooms.size() + name.size() + headers.size() + 3 <= kLargest) {
        line += event.rooms;
        line += '\t';
        line += name;
        line += '\t';
        line += headers;
        line += '\t';
        if (!event.by_reference) {
            const std::string payload = json::compact(event.payload);
            if (line.size() + payload.size() <= kLargest) line += payload;
        }
    } else {
        line += "\t\t\t";
    }
    if (line.size() > room() && !lines_.empty()) send(event.position - 1);
    lines_ += line;
}

void Packer::finish(std::int64_t last) {
    if (last >= first_) send(last);
}

}  // namespace pulse::dispatch
