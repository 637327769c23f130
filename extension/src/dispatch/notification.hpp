// The NOTIFY payload for bridges and for legacy channels (docs/reference/notify.md). Pure: text in, text out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pulse::dispatch {

constexpr std::size_t kMaxNotification = 7999;  // bytes, PostgreSQL's limit
constexpr std::size_t kMaxLegacyPayload = 7900;

struct Notification {
    std::string channel;
    std::string payload;
};

// What listeners of a legacy channel get: the payload's object with eventId as its last member (one of the payload's own
// is replaced); another kind of value as {"payload":…,"eventId":…}; too long as {"eventId":…,"truncated":true}.
std::string legacy_payload(std::string_view payload, std::int64_t event_id);
std::string legacy_truncated(std::int64_t event_id);

// One event as a line of a notification.
struct EventLine {
    std::int64_t position, id;
    std::string rooms;                  // JSON array
    std::string_view name;              // plain text
    std::string_view headers, payload;  // JSON as stored
    bool by_reference;                  // payload is not sent: attachments, or known to be too large
};

// Packs lines into notifications of at most kMaxNotification bytes which cover every position from `first` on.
class Packer {
public:
    Packer(std::string_view epoch, std::string_view channel, std::int64_t first, std::uint64_t &sequence, std::vector<Notification> &out)
        : epoch_(epoch), channel_(channel), first_(first), sequence_(sequence), out_(out) {}
    void add(const EventLine &event);
    void finish(std::int64_t last);  // covers the positions up to last; nothing is sent when there are none
    std::size_t bytes() const { return bytes_; }

private:
    std::size_t room() const;  // bytes left for lines
    void send(std::int64_t last);

    std::string_view epoch_, channel_;
    std::int64_t first_;
    std::uint64_t &sequence_;
    std::vector<Notification> &out_;
    std::string lines_;
    std::size_t bytes_ = 0;
};

// Ephemeral events: `lines` (rooms, name, headers, payload, tab-separated) as notifications `epoch ~ sequence dropped`.
std::vector<std::string> pack_ephemeral(std::string_view epoch, const std::vector<std::string> &lines, std::uint64_t &sequence,
                                        std::uint64_t dropped);

std::string header_line(std::string_view epoch, std::int64_t first, std::int64_t last, std::uint64_t sequence);

}  // namespace pulse::dispatch
