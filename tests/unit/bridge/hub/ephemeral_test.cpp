// Events that are no part of the stream: read from their own kind of notification, delivered to who is here, kept for nobody.
#include <gmock/gmock.h>

#include "fakes.hpp"
#include "hub/feed.hpp"
#include "hub/notification.hpp"
#include "notification_text.hpp"

namespace bridge::hub {
namespace {

using test::Client;
using test::header;
using test::kEpoch;
using test::line;
using test::notify;
using test::World;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

std::string head(std::uint64_t sequence, std::uint64_t dropped = 0) {
    return std::string(kEpoch) + " ~ " + std::to_string(sequence) + " " + std::to_string(dropped);
}
std::string typing(const std::string &payload, const std::string &rooms = R"(["a"])", const std::string &headers = "{}") {
    return "\n" + rooms + "\t\"t\"\t" + headers + "\t" + payload;
}

struct Reader final : Feed::Source {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> reads;
    int restarts = 0;
    void read(Position after, Position up_to) override { reads.emplace_back(after.value, up_to.value); }
    void restart() override { ++restarts; }
};

struct Stream {
    World world;
    Reader reader;
    Feed feed{world.hub, reader, world.metrics, 2000};
    Client client = world.client();

    explicit Stream(std::uint64_t head = 10) {
        world.hub.join(client.session, "a", Position{head});
        feed.start(kEpoch, Position{head});
    }
    void row(std::uint64_t position) {
        const std::string payload = std::to_string(position);
        feed.row({Position{position}, position, R"(["a"])", "\"e\"", "{}", payload, {}});
    }
    std::string got() { return world.flushed(client); }
};

TEST(EphemeralNotification, E3ReadsHeaderAndLines) {
    const std::string text = head(7, 3) + typing("1") + typing(R"({"x":1})", R"(["a","b"])", R"({"exceptSession":"k"})");
    auto n = Notification::parse(text);
    ASSERT_TRUE(n);
    EXPECT_TRUE(n->header().ephemeral);
    EXPECT_EQ(n->header().epoch, kEpoch);
    EXPECT_EQ(n->header().sequence, 7U);
    EXPECT_EQ(n->header().dropped, 3U);
    EXPECT_FALSE(n->wake_up());
    auto first = n->next();
    ASSERT_TRUE(first && *first);
    EXPECT_TRUE((*first)->event.ephemeral);
    EXPECT_EQ((*first)->event.name, R"("t")");
    EXPECT_EQ((*first)->event.payload, "1");
    auto second = n->next();
    ASSERT_TRUE(second && *second);
    EXPECT_EQ((*second)->event.rooms, R"(["a","b"])");
    EXPECT_EQ((*second)->event.headers, R"({"exceptSession":"k"})");
    EXPECT_EQ((*second)->event.payload, R"({"x":1})");
    auto end = n->next();
    ASSERT_TRUE(end);
    EXPECT_FALSE(*end);
}

TEST(EphemeralNotification, RefusesWhatIsMalformed) {
    for (const std::string &text :
         {head(1), head(1) + "\n", std::string("00000000000000E1 ~ 1 0") + typing("1"), std::string("00000000000000e1 ~ 1") + typing("1"),
          std::string("00000000000000e1 ~ x 0") + typing("1"), std::string("00000000000000e1 ~ 1 0 ") + typing("1"),
          std::string("00000000000000e1 ~ 1 -1") + typing("1"), std::string("00000000000000e1 ~ ") + typing("1")}) {
        EXPECT_FALSE(Notification::parse(text)) << text;
    }
    for (const std::string &bad : {typing(""), typing("1\t2"), typing("1") + "\n", typing("1", ""), typing("1", "a"), typing("1", "[]", ""),
                                   std::string("\n[]\te\t{}\t1"), std::string("\n[]\t\"e\"\t1"), std::string("\n\n")}) {
        const std::string text = head(1) + bad;
        auto n = Notification::parse(text);
        ASSERT_TRUE(n);
        auto found = n->next();
        while (found && *found) found = n->next();
        EXPECT_FALSE(found) << bad;
    }
}

TEST(EphemeralFeed, E3DeliversAtOnceWithoutMovingTheStream) {
    Stream s;
    s.feed.notification(head(1) + typing("1") + typing("2"));
    s.feed.notification(notify(11, 11));
    s.feed.notification(head(4, 9) + typing("3"));
    EXPECT_EQ(s.got(), "<t 1><t 2><e 11><t 3>");
    EXPECT_EQ(s.feed.head().value, 11U);
    EXPECT_THAT(s.reader.reads, IsEmpty());
    EXPECT_EQ(s.world.metrics.ephemeral_dropped().Value(), 9);
}

TEST(EphemeralFeed, E3NeverTwice) {
    Stream s;
    s.feed.notification(head(5) + typing("1"));
    s.feed.notification(head(5) + typing("1"));
    s.feed.notification(head(4) + typing("0"));
    EXPECT_EQ(s.got(), "<t 1>");
    EXPECT_EQ(s.world.metrics.duplicate_notifications().Value(), 2);
    s.feed.stop();
    s.feed.start("00000000000000e2", Position{10}, {true, Position{10}, Position{1}});
    s.feed.notification("00000000000000e2 ~ 1 0" + typing("new"));
    EXPECT_EQ(s.got(), "<t new>") << "a new epoch counts from the start";
}

TEST(EphemeralFeed, E3ComesAfterTheDurableEventsThatWereSentBeforeIt) {
    Stream s;
    s.feed.notification(notify(13, 13));  // 11 and 12 are read from the log
    s.feed.notification(head(1) + typing("after 13"));
    s.feed.notification(notify(14, 14));
    EXPECT_EQ(s.got(), "");
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(10, 12)));
    s.row(11);
    s.row(12);
    s.feed.read_done(false);
    EXPECT_EQ(s.got(), "<e 11><e 12><e 13><t after 13><e 14>");
}

TEST(EphemeralFeed, E3IsLostAndCountedWhenThereIsNoRoomWhileItCatchesUp) {
    Stream s;  // keeps at most 2000 bytes
    s.feed.notification(notify(13, 13));
    for (std::uint64_t n = 1; n <= 100; ++n) s.feed.notification(head(n) + typing(std::to_string(n)));
    const double missed = s.world.metrics.ephemeral_missed().Value();
    EXPECT_GT(missed, 0);
    s.row(11);
    s.row(12);
    s.feed.read_done(false);
    const std::string got = s.got();
    EXPECT_TRUE(got.starts_with("<e 11><e 12><e 13><t 1><t 2>"));
    EXPECT_EQ(std::count(got.begin(), got.end(), 't'), 100 - missed);
    EXPECT_EQ(s.feed.state(), Feed::State::live);
}

TEST(EphemeralFeed, E3NothingFromBeforeACut) {
    Stream s;
    s.feed.notification(notify(13, 13));
    s.feed.notification(head(1) + typing("1"));
    s.feed.stop();
    s.feed.start(kEpoch, Position{13});
    for (const std::uint64_t p : {11U, 12U, 13U}) s.row(p);
    s.feed.read_done(false);
    EXPECT_EQ(s.got(), "<e 11><e 12><e 13>");
}

TEST(EphemeralFeed, AMalformedLineOrAnotherEpochBeginsAnew) {
    Stream s;
    s.feed.notification(head(1) + typing("1") + "\ngarbage");
    EXPECT_EQ(s.reader.restarts, 1);
    EXPECT_EQ(s.world.metrics.malformed_notifications().Value(), 1);
    s.feed.start(kEpoch, Position{10});
    s.feed.notification("00000000000000e2 ~ 1 0" + typing("1"));
    EXPECT_EQ(s.reader.restarts, 2);
}

TEST(EphemeralDelivery, E3EachSessionOnceButForTheExceptedOneAndOnlyMembers) {
    World world;
    Client one = world.client(), two = world.client(), three = world.client(), apart = world.client();
    for (Client *client : {&one, &two, &three})
        for (const char *room : {"a", "b"}) world.hub.join(client->session, room, Position{0});
    world.hub.join(apart.session, "c", Position{0});
    const std::string headers = R"({"exceptSession":")" + std::string(two.key.view()) + R"("})";
    world.hub.deliver_ephemeral({{}, 0, R"(["a","b"])", "\"t\"", headers, "1", {}, true});
    EXPECT_EQ(world.flushed(one), "<t 1>");
    EXPECT_EQ(world.flushed(two), "");
    EXPECT_EQ(world.flushed(three), "<t 1>");
    EXPECT_EQ(world.flushed(apart), "");
}

TEST(EphemeralDelivery, E3IsGivenToNobodyWhoComesLater) {
    World world;
    world.deliver(R"(["a"])", "e", "1");
    world.hub.deliver_ephemeral({{}, 0, R"(["a"])", "\"t\"", "{}", "1", {}, true});
    world.deliver(R"(["a"])", "e", "2");
    Client late = world.client();
    EXPECT_EQ(world.hub.join(late.session, "a", Position{0}), Join::joined);
    EXPECT_EQ(world.flushed(late), "<e 1><e 2>");
}

TEST(EphemeralDelivery, ItsCursorIsTheStreamsAndWhoIsAheadOfThatWaits) {
    World world;
    world.encoder.with_cursor = true;
    for (int i = 0; i < 3; ++i) world.deliver(R"(["x"])", "e");
    Client here = world.client(), ahead = world.client();
    world.hub.join(here.session, "a", Position{3});
    world.hub.join(ahead.session, "a", Position{4});
    world.hub.deliver_ephemeral({{}, 0, R"(["a"])", "\"t\"", "{}", "1", {}, true});
    EXPECT_EQ(world.flushed(here), "<t 1 @00000000000000e1:3>");
    EXPECT_EQ(world.flushed(ahead), "");
    world.deliver(R"(["x"])", "e");
    world.hub.deliver_ephemeral({{}, 0, R"(["a"])", "\"t\"", "{}", "2", {}, true});
    EXPECT_EQ(world.flushed(ahead), "<t 2 @00000000000000e1:4>");
}

}  // namespace
}  // namespace bridge::hub
