// A NOTIFY payload, through the parser and through a feed with a hub behind it.
#include "hub/notification.hpp"

#include "base/log.hpp"
#include "check.hpp"
#include "hub/feed.hpp"
#include "hub/hub.hpp"

using namespace bridge;

namespace {

struct Nowhere final : hub::Sink {
    Write write(std::string_view) override { return Write::taken; }
    void request_writable() override {}
    void close(Errc) override {}
};
struct Plain final : hub::Encoder {
    hub::FramePtr encode(Protocol, std::string_view, const hub::Event &event, std::string_view, std::string_view) override {
        return hub::make_frame(std::string(event.payload));
    }
    bool names_room(Protocol) const override { return true; }
};
struct Reader final : hub::Feed::Source {
    bool asked = false;
    void read(Position after, Position up_to) override {
        CHECK(after < up_to);
        asked = true;
    }
    void restart() override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view in = text(data, size);
    log::set_level(log::Level::error);
    if (auto parsed = hub::Notification::parse(in)) {
        Position before{parsed->header().first.value - 1};
        for (;;) {
            const auto line = parsed->next();
            if (!line || !*line) break;
            CHECK((*line)->event.ephemeral == parsed->header().ephemeral);
            if (parsed->header().ephemeral) {
                CHECK(!(*line)->event.payload.empty() && !(*line)->event.rooms.empty() && !(*line)->by_reference);
                continue;
            }
            CHECK((*line)->event.position > before && (*line)->event.position <= parsed->header().last);
            before = (*line)->event.position;
        }
    }
    static Metrics metrics("fuzz", "fuzz");
    static Plain encoder;
    static const SystemClock clock;
    hub::Hub hub({}, encoder, clock, metrics);
    Nowhere sink;
    Reader reader;
    hub::Feed feed(hub, reader, metrics, 1000);
    const ConnectionId connection = hub.open(sink);
    const SessionId session = hub.add_session(connection, {Protocol::native, "/", {}, {}, std::make_shared<const Claims>()});
    hub.join(session, "a", Position{0});
    feed.start("00000000000000e1", Position{0});
    feed.notification(in);
    const Position head = feed.head();
    feed.notification(in);
    CHECK(feed.head() >= head);
    CHECK((feed.state() == hub::Feed::State::reading) == reader.asked || feed.state() == hub::Feed::State::stopped);
    hub.flush();
    return 0;
}
