// The faults of the bridge, by the environment variable PULSE_FAULT:
//   drop      now and then an event is delivered to nobody
//   swap      now and then two events that follow each other change places
//   repeat    now and then an event is delivered twice
//   leak      now and then an event also goes to the rooms of the one before it
//   evict     evictions are not acted upon
//   partial   every other event is left out of a recovery
#include "hub/faults.hpp"

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "hub/hub.hpp"

namespace bridge::hub::faults {

namespace {

constexpr int kEvery = 50;  // events

bool is(std::string_view name) {
    static const char *fault = std::getenv("PULSE_FAULT");
    return fault && name == fault;
}

bool now_and_then(int every = kEvery) {
    static int events = 0;
    return ++events % every == 0;
}

// An event that outlives the line it was read from.
struct Kept {
    std::string rooms, name, headers, payload;
    std::vector<std::string> attachments;
    Event slices;

    explicit Kept(const Event &event)
        : rooms(event.rooms), name(event.name), headers(event.headers), payload(event.payload),
          attachments(event.attachments.begin(), event.attachments.end()), slices(event) {}

    Event event() const {
        Event event = slices;
        event.rooms = rooms;
        event.name = name;
        event.headers = headers;
        event.payload = payload;
        event.attachments = attachments;
        return event;
    }
};

}  // namespace

bool deliver(Hub &hub, const Event &event) {
    static bool inside = false;
    static std::optional<Kept> kept;
    static std::string rooms_before = "[]";
    if (inside) return false;
    inside = true;
    bool done = true;
    if (is("evict") && event.name == "\"pulse:evict\"") {
        // as if it had never been read
    } else if (is("drop") && now_and_then()) {
        // likewise
    } else if (is("repeat") && now_and_then()) {
        hub.deliver(event);
        hub.deliver(event);
    } else if (is("swap") && kept) {
        hub.deliver(event);
        hub.deliver(kept->event());
        kept.reset();
    } else if (is("swap") && now_and_then()) {
        kept.emplace(event);
    } else if (is("leak") && rooms_before != "[]" && now_and_then()) {
        const std::string both = rooms_before.substr(0, rooms_before.size() - 1) + "," + std::string(event.rooms.substr(1));
        Event leaked = event;
        leaked.rooms = both;
        hub.deliver(leaked);
    } else {
        done = false;
    }
    rooms_before = event.rooms;
    inside = false;
    return done;
}

bool leave_out() { return is("partial") && now_and_then(2); }

}  // namespace bridge::hub::faults
