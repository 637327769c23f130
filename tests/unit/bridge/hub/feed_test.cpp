// The stream of positions: notifications read, holes closed, nothing lost, doubled or out of order.
#include "hub/feed.hpp"

#include <random>

#include <gmock/gmock.h>

#include "fakes.hpp"
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

    explicit Stream(std::uint64_t joined_at = 0) { world.hub.join(client.session, "a", Position{joined_at}); }
    void row(std::uint64_t position, const char *rooms = R"(["a"])") {
        const std::string payload = std::to_string(position);
        Event event;
        event.position = Position{position};
        event.rooms = rooms;
        event.name = "\"e\"";
        event.headers = "{}";
        event.payload = payload;
        feed.row(event);
    }
    // Answers the oldest read as the database would.
    void answer() {
        ASSERT_FALSE(reader.reads.empty());
        const auto [after, up_to] = reader.reads.front();
        reader.reads.erase(reader.reads.begin());
        for (std::uint64_t p = after + 1; p <= up_to; ++p) row(p);
        feed.read_done(false);
    }
    std::string got() { return world.flushed(client); }
};

TEST(Feed, HandlesTheNextNotificationAndDropsWhatIsKnown) {
    Stream s(10);
    s.feed.start(kEpoch, Position{10});
    EXPECT_EQ(s.feed.state(), Feed::State::live);
    s.feed.notification(notify(11, 12));
    s.feed.notification(notify(11, 12));
    s.feed.notification(notify(3, 5));
    s.feed.notification(notify(12, 13));  // overlaps: only 13 is new
    EXPECT_EQ(s.got(), "<e 11><e 12><e 13>");
    EXPECT_EQ(s.feed.head().value, 13U);
    EXPECT_EQ(s.world.metrics.duplicate_notifications().Value(), 2);
    EXPECT_THAT(s.reader.reads, IsEmpty());
}

TEST(Feed, AdvancesOverPositionsWithoutALine) {
    Stream s(10);
    s.feed.start(kEpoch, Position{10});
    s.feed.notification(header(11, 15) + "\n" + line(12));
    EXPECT_EQ(s.feed.head().value, 15U);
    EXPECT_EQ(s.world.hub.head().value, 15U);
}

TEST(Feed, ReadsAHoleAndKeepsWhatArrivesMeanwhile) {
    Stream s(10);
    s.feed.start(kEpoch, Position{10});
    s.feed.notification(notify(13, 14));
    EXPECT_EQ(s.feed.state(), Feed::State::reading);
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(10, 12)));
    s.feed.notification(notify(15, 15));
    s.feed.notification(notify(18, 18));
    EXPECT_EQ(s.got(), "");
    s.answer();
    EXPECT_EQ(s.got(), "<e 11><e 12><e 13><e 14><e 15>");
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(15, 17)));
    s.answer();
    EXPECT_EQ(s.got(), "<e 16><e 17><e 18>");
    EXPECT_EQ(s.feed.state(), Feed::State::live);
    EXPECT_EQ(s.world.metrics.catch_ups().Value(), 2);
    EXPECT_EQ(s.world.metrics.events_caught_up().Value(), 4);
}

TEST(Feed, ReadsInPiecesWhileThereIsMore) {
    Stream s;
    s.feed.start(kEpoch, Position{0});
    s.feed.notification(header(1, 100));
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(0, 100)));
    for (int p = 1; p <= 40; ++p) s.row(static_cast<std::uint64_t>(p));
    s.feed.read_done(true);
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(0, 100), Pair(40, 100)));
    s.row(90);
    s.feed.read_done(false);
    EXPECT_EQ(s.feed.head().value, 100U);
    EXPECT_EQ(s.feed.state(), Feed::State::live);
}

TEST(Feed, IgnoresRowsThatAreKnownAndRowsThatNobodyAskedFor) {
    Stream s(10);
    s.feed.start(kEpoch, Position{10});
    s.row(11);
    EXPECT_EQ(s.feed.head().value, 10U);
    s.feed.notification(header(11, 12));
    for (const std::uint64_t p : {9U, 10U, 11U, 11U, 12U}) s.row(p);
    s.feed.read_done(false);
    EXPECT_EQ(s.got(), "<e 11><e 12>");
}

TEST(Feed, ReadsAReferenceOnlyWhenSomebodyIsThere) {
    Stream s;
    s.feed.start(kEpoch, Position{0});
    s.feed.notification(header(1, 3) + "\n" + line(1, R"(["a"])", "1") + "\n" + line(2, R"(["nobody"])", "") + "\n" +
                        line(3, R"(["a"])", "3"));
    EXPECT_THAT(s.reader.reads, IsEmpty());
    EXPECT_EQ(s.got(), "<e 1><e 3>");

    s.feed.notification(header(4, 6) + "\n" + line(4, R"(["a"])", "4") + "\n" + line(5, R"(["nobody","a"])", "") + "\n" +
                        line(6, R"(["a"])", "6"));
    EXPECT_EQ(s.got(), "<e 4>");
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(4, 5)));
    s.answer();
    EXPECT_EQ(s.got(), "<e 5><e 6>");
    EXPECT_EQ(s.feed.head().value, 6U);

    s.feed.notification(header(7, 7) + "\n7\t1\t\t\t\t");
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(6, 7)));
    s.answer();
    EXPECT_EQ(s.got(), "<e 7>");
}

TEST(Feed, AJoinAfterAPassedReferenceAsksForAFreshDecision) {
    Stream s;
    s.feed.start(kEpoch, Position{0});
    s.feed.notification(header(1, 1) + "\n" + line(1, R"(["b"])", ""));
    EXPECT_EQ(s.world.hub.join(s.client.session, "b", Position{0}), Join::too_old);
}

TEST(Feed, KeepsNotificationsThatComeBeforeStart) {
    Stream s(10);
    s.feed.notification(notify(9, 10));
    s.feed.notification(notify(11, 11));
    s.feed.start(kEpoch, Position{10});
    EXPECT_EQ(s.got(), "<e 11>");
    EXPECT_EQ(s.feed.state(), Feed::State::live);
}

TEST(Feed, GoesOnFromItsOwnHeadAfterAReconnect) {
    Stream s(10);
    s.feed.start(kEpoch, Position{10});
    s.feed.notification(notify(11, 11));
    s.feed.notification(notify(14, 14));  // a read is under way when the connection goes
    s.feed.stop();
    s.row(12);  // late rows do nothing
    s.feed.read_done(false);
    EXPECT_EQ(s.feed.head().value, 11U);
    s.reader.reads.clear();
    s.feed.start(kEpoch, Position{20});
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(11, 20)));
    s.answer();
    EXPECT_EQ(s.got(), "<e 11><e 12><e 13><e 14><e 15><e 16><e 17><e 18><e 19><e 20>");
    EXPECT_EQ(s.feed.state(), Feed::State::live);
}

TEST(Feed, ANewEpochGoesOnWithThePositions) {
    Stream s(10);
    s.world.encoder.with_cursor = true;
    s.feed.start(kEpoch, Position{10});
    s.feed.notification(header(11, 11, "00000000000000e2") + "\n" + line(11));
    EXPECT_EQ(s.reader.restarts, 1);
    EXPECT_EQ(s.feed.state(), Feed::State::stopped);
    EXPECT_EQ(s.got(), "");
    s.feed.start("00000000000000e2", Position{11});
    s.answer();
    EXPECT_EQ(s.got(), "<e 11 @00000000000000e2:11>");
    EXPECT_EQ(s.feed.cursor().text(), "00000000000000e2:11");
}

// What everybody is told when the stream cannot be continued.
void expect_lost(Stream &s) {
    EXPECT_EQ(s.got(), "");
    EXPECT_THAT(s.client.sink->closes, ElementsAre(Errc::must_refetch));
    EXPECT_EQ(s.world.metrics.streams_lost().Value(), 1);
    EXPECT_EQ(s.feed.state(), Feed::State::live);
}

TEST(Feed, E7_PositionsGivenAnewBelowTheHeadAreNotSkipped) {
    Stream s(10);
    s.feed.start(kEpoch, Position{10});
    s.feed.notification(notify(11, 15));  // 13 … 15 never reached the standby that is promoted
    s.got();
    s.feed.stop();
    s.feed.start("00000000000000e2", Position{14}, {true, Position{12}, Position{1}});
    expect_lost(s);
    EXPECT_EQ(s.feed.head().value, 14U);
    Client back = s.world.client();
    EXPECT_EQ(s.world.hub.join(back.session, "a", Position{14}), Join::joined);
    s.feed.notification(header(15, 15, "00000000000000e2") + "\n" + line(15, R"(["a"])", "15"));
    EXPECT_EQ(s.world.flushed(back), "<e 15>");
    EXPECT_EQ(s.got(), "");
}

TEST(Feed, E7_AHeadWithinTheEndOfItsEpochGoesOn) {
    Stream s(10);
    s.feed.start(kEpoch, Position{10});
    s.feed.notification(notify(11, 12));
    s.feed.stop();
    s.feed.start("00000000000000e2", Position{14}, {true, Position{12}, Position{13}});
    s.answer();
    EXPECT_EQ(s.got(), "<e 11><e 12><e 13><e 14>");
    EXPECT_THAT(s.client.sink->closes, IsEmpty());
}

TEST(Feed, E7_AnEpochThatTheDatabaseDoesNotKnowIsLost) {
    Stream s(10);
    s.feed.start(kEpoch, Position{10});
    s.feed.stop();
    s.feed.start("00000000000000e2", Position{500}, {false, std::nullopt, Position{1}});
    expect_lost(s);
    EXPECT_EQ(s.feed.head().value, 500U);
    EXPECT_THAT(s.reader.reads, IsEmpty());
}

TEST(Feed, E7_PositionsThatWentBackAreLost) {
    Stream s(10);
    s.feed.start(kEpoch, Position{10});
    s.feed.notification(notify(11, 11));
    s.got();
    s.feed.stop();
    s.feed.start(kEpoch, Position{3});
    expect_lost(s);
    EXPECT_EQ(s.feed.head().value, 3U);
}

TEST(Feed, E2_AGapBelowTheFloorIsLost) {
    Stream s(10);
    s.feed.start(kEpoch, Position{10});
    s.feed.stop();
    s.feed.start(kEpoch, Position{90}, {true, std::nullopt, Position{12}});
    expect_lost(s);
    EXPECT_EQ(s.feed.head().value, 90U);
    EXPECT_EQ(s.world.hub.log_floor().value, 12U);
}

TEST(Feed, E2_AGapJustAboveTheFloorIsRead) {
    Stream s(10);
    s.feed.start(kEpoch, Position{10});
    s.feed.stop();
    s.feed.start(kEpoch, Position{12}, {true, std::nullopt, Position{11}});
    s.answer();
    EXPECT_EQ(s.got(), "<e 11><e 12>");
}

TEST(Feed, E2_SessionsThatWereHereBeforeTheStreamMissNothing) {
    Stream s(8);
    s.feed.start(kEpoch, Position{10});
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(8, 10)));
    s.answer();
    s.feed.notification(notify(11, 11));
    EXPECT_EQ(s.got(), "<e 9><e 10><e 11>");
}

TEST(Feed, M10_AStreamThatBeginsEarlierGivesNobodyWhatCameBeforeItsDecision) {
    Stream s(8);
    ASSERT_EQ(s.world.hub.join(s.client.session, "b", Position{12}), Join::joined);
    s.feed.start(kEpoch, Position{20});
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(8, 20)));
    for (const std::uint64_t p : {9U, 12U, 13U}) s.row(p, R"(["b"])");
    s.feed.read_done(false);
    EXPECT_EQ(s.got(), "<e 13>");
}

TEST(Feed, E2_SessionsInNoRoomDoNotMakeTheStreamBeginEarlier) {
    World world;
    Reader reader;
    Feed feed(world.hub, reader, world.metrics);
    Client c = world.client();
    feed.start(kEpoch, Position{10});
    EXPECT_EQ(feed.head().value, 10U);
    EXPECT_THAT(reader.reads, IsEmpty());
}

TEST(Feed, E2_SessionsThatWereHereBeforeWhatCanBeReadComeBack) {
    Stream s(8);
    s.feed.start(kEpoch, Position{20}, {true, std::nullopt, Position{12}});
    expect_lost(s);
    EXPECT_EQ(s.feed.head().value, 20U);
}

TEST(Feed, M10_AnEvictionByReferenceIsReadAlthoughNobodyIsInItsRoom) {
    Stream s(10);
    s.feed.start(kEpoch, Position{10});
    s.feed.notification(header(11, 11) + "\n" + line(11, R"(["pulse:system"])", ""));
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(10, 11)));
}

TEST(Feed, AMalformedNotificationIsReadFromTheLogInstead) {
    Stream s;
    s.feed.start(kEpoch, Position{0});
    s.feed.notification(header(1, 2) + "\n" + line(1, R"(["a"])", "1") + "\ngarbage");
    EXPECT_EQ(s.reader.restarts, 1);
    EXPECT_EQ(s.world.metrics.malformed_notifications().Value(), 1);
    s.feed.start(kEpoch, Position{2});
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(1, 2)));
    s.answer();
    EXPECT_EQ(s.got(), "<e 1><e 2>");
}

TEST(Feed, BeyondItsBoundItReadsInsteadOfKeeping) {
    Stream s;  // keeps at most 2000 bytes
    s.feed.start(kEpoch, Position{0});
    s.feed.notification(notify(3, 3));
    std::string expected = "<e 1><e 2><e 3>";
    for (std::uint64_t p = 4; p <= 200; ++p) {
        s.feed.notification(notify(p, p));
        expected += "<e " + std::to_string(p) + ">";
    }
    for (int i = 0; i < 10 && !s.reader.reads.empty(); ++i) s.answer();
    EXPECT_EQ(s.got(), expected);
    EXPECT_EQ(s.feed.head().value, 200U);
    EXPECT_EQ(s.feed.state(), Feed::State::live);
}

TEST(Feed, CatchUpReadsWhenTheHeadIsBehind) {
    Stream s(5);
    s.feed.start(kEpoch, Position{5});
    s.feed.catch_up(Position{5});
    EXPECT_THAT(s.reader.reads, IsEmpty());
    s.feed.catch_up(Position{7});
    EXPECT_THAT(s.reader.reads, ElementsAre(Pair(5, 7)));
    s.answer();
    EXPECT_EQ(s.got(), "<e 6><e 7>");
}

// Notifications lost, repeated, merged into wake-ups and cut by reconnects: every event arrives once and in order.
class FeedFaults : public testing::TestWithParam<unsigned> {};

TEST_P(FeedFaults, LoseNothingDoubleNothing) {
    std::mt19937 random(GetParam());
    Stream s;
    s.feed.start(kEpoch, Position{0});
    std::uint64_t last = 0;
    for (int step = 0; step < 500; ++step) {
        switch (random() % 10) {
            case 0:  // cut and reconnect
                s.feed.stop();
                s.reader.reads.clear();
                if (random() % 2) s.feed.notification(notify(last + 1, last + 2)), last += 2;
                s.feed.start(kEpoch, Position{last});
                break;
            case 1: last += 1 + random() % 3; break;  // lost
            case 2:
                s.feed.notification(notify(last > 4 ? last - 3 : 1, std::max<std::uint64_t>(last, 1))),
                    last = std::max<std::uint64_t>(last, 1);
                break;
            case 3: {
                const std::uint64_t first = last + 1;
                last += 1 + random() % 5;
                s.feed.notification(header(first, last));
                break;
            }
            case 4:
            case 5:
                if (!s.reader.reads.empty()) s.answer();
                break;
            default: {
                const std::uint64_t first = last + 1;
                last += 1 + random() % 3;
                s.feed.notification(notify(first, last));
            }
        }
    }
    s.feed.catch_up(Position{last});
    while (!s.reader.reads.empty()) s.answer();
    std::string expected;
    for (std::uint64_t p = 1; p <= last; ++p) expected += "<e " + std::to_string(p) + ">";
    EXPECT_EQ(s.got(), expected);
    EXPECT_EQ(s.feed.state(), Feed::State::live);
    EXPECT_EQ(s.reader.restarts, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FeedFaults, testing::Range(1U, 31U));

}  // namespace
}  // namespace bridge::hub
