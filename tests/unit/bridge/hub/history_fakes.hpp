// A log as the database has it, and a history over it: pages are answered when the test says so.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "fakes.hpp"
#include "hub/evictions.hpp"
#include "hub/history.hpp"

namespace bridge::hub::test {

struct FakeLog final : History::Source {
    struct Logged {
        std::uint64_t position;
        std::vector<std::string> rooms;
        std::string rooms_json, name, payload, headers;
    };
    struct Asked {
        std::set<std::string> rooms;
        std::uint64_t after, up_to;
        int max_events;
    };
    std::vector<Logged> events;
    std::vector<Asked> asked;
    std::uint64_t floor = 0;  // positions below it are not there any more
    bool rests = false;

    bool resting() const override { return rests; }

    void history(std::vector<std::string> rooms, Position after, Position up_to, int max_events) override {
        EXPECT_FALSE(open) << "one page at a time";
        open = true;
        asked.push_back({{rooms.begin(), rooms.end()}, after.value, up_to.value, max_events});
    }

    // Answers the page as the database would; `rows` of it only when the connection is cut then.
    void answer(History &to, std::size_t rows = SIZE_MAX) {
        ASSERT_TRUE(open);
        const Asked &page = asked.back();
        if (page.after + 1 < floor) {
            open = false;
            return to.failed(History::Failure::expired);
        }
        int given = 0;
        for (const Logged &logged : events) {
            if (logged.position <= page.after || logged.position > page.up_to || given == page.max_events) continue;
            bool wanted = false;
            for (const std::string &room : logged.rooms) wanted = wanted || page.rooms.contains(room);
            if (!wanted) continue;
            if (rows-- == 0) return;
            ++given;
            Event event;
            event.position = Position{logged.position};
            event.rooms = logged.rooms_json;
            event.name = logged.name;
            event.headers = logged.headers;
            event.payload = logged.payload;
            to.row(event);
        }
        open = false;
        to.page_done(given == page.max_events);
    }
    bool open = false;
};

// A world whose hub has a log behind it. What the ring does not hold any more must be read there.
struct Past : World {
    FakeLog log;
    History history;
    std::vector<HistoryOutcome> outcomes;

    explicit Past(HubOptions hub_options = {}, HistoryOptions options = {}) : World(hub_options), history(hub, log, metrics, options) {
        encoder.with_cursor = true;
    }

    // An event at the next position, delivered; its payload is its position.
    void publish(std::vector<std::string> rooms, const std::string &name = "e", std::string payload = {},
                 const std::string &headers = "{}") {
        if (payload.empty()) payload = std::to_string(position + 1);
        std::string json = "[";
        for (const std::string &room : rooms) json += (json.size() > 1 ? ",\"" : "\"") + room + "\"";
        json += "]";
        log.events.push_back({position + 1, rooms, json, "\"" + name + "\"", payload, headers});
        deliver(json, name, payload, headers);
    }
    void evict(const std::string &room, const std::string &user) {
        publish({"pulse:system", "pulse:evictions"}, "pulse:evict",
                R"({"room":")" + room + R"(","userId":)" + (user.empty() ? "null" : "\"" + user + "\"") + R"(,"reason":"gone"})");
    }
    // As if the bridge had been started just now.
    void forget_ring() { hub.start_anew(); }

    Client user(const std::string &name, std::uint64_t base = 0, Protocol protocol = Protocol::socketio) {
        Client made;
        made.connection = hub.open(*made.sink);
        made.key = rng.id();
        auto claims = std::make_shared<Claims>();
        claims->user_id = name;
        made.session = hub.add_session(made.connection, {protocol, "/", made.key, rng.id(), claims, Position{base}});
        return made;
    }
    void recover(const Client &client, const std::vector<RoomSince> &rooms, const std::string &first = "") {
        history.recover({client.session, rooms, hub.head(), false, first.empty() ? nullptr : make_frame(first)},
                        [this](HistoryOutcome outcome) { outcomes.push_back(std::move(outcome)); });
    }
    void backfill(const Client &client, const std::string &room, std::uint64_t since) {
        history.recover({client.session, {{room, Position{since}}}, hub.head(), true, nullptr},
                        [this](HistoryOutcome outcome) { outcomes.push_back(std::move(outcome)); });
    }
    // Turns of the loop with answered pages until nobody waits.
    void settle() {
        for (int i = 0; i < 100'000 && history.waiting() > 0; ++i) {
            history.turn();
            if (log.open) log.answer(history);
            hub.flush();
        }
        ASSERT_EQ(history.waiting(), 0U);
        hub.flush();
    }
    // The payloads of what a client was sent, in order: `<name payload …>`.
    static std::string payloads(const std::string &frames) {
        std::string out;
        for (std::size_t at = frames.find('<'); at != std::string::npos; at = frames.find('<', at + 1)) {
            const std::size_t from = frames.find(' ', at) + 1;
            if (from == 0 || from > frames.find('>', at)) continue;
            out += (out.empty() ? "" : " ") + frames.substr(from, frames.find_first_of(" >", from) - from);
        }
        return out;
    }
    std::string got(Client &client) {
        hub.flush();
        return payloads(client.sink->take());
    }
};

}  // namespace bridge::hub::test
