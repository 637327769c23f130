#include "dispatch/notification.hpp"

#include <algorithm>
#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse::dispatch {
namespace {

using testing::ElementsAre;

constexpr std::string_view kEpoch = "9f3c01ab5577de20";

struct Sent {
    std::vector<Notification> out;
    std::uint64_t sequence = 0;
    Packer packer{kEpoch, "channel", 5, sequence, out};
    std::vector<std::string> payloads() const {
        std::vector<std::string> result;
        for (const Notification &notification : out) result.push_back(notification.payload);
        return result;
    }
};

EventLine line(std::int64_t position, std::string_view payload, bool by_reference = false) {
    return {position, 100 + position, R"(["r"])", "name", "{}", payload, by_reference};
}

TEST(Packer, WritesTheContractsLines) {
    Sent sent;
    sent.packer.add({5, 77, R"(["a","b"])", "say \"hi\"", "{ \"x\" : 1 }", "{ \"k\" : [1, \"a b\"] }", false});
    sent.packer.add(line(6, "1", true));
    sent.packer.finish(6);
    EXPECT_THAT(sent.payloads(),
                ElementsAre("9f3c01ab5577de20 5 6 1\n5\t77\t[\"a\",\"b\"]\t\"say \\\"hi\\\"\"\t{\"x\":1}\t{\"k\":[1,\"a b\"]}\n"
                            "6\t106\t[\"r\"]\t\"name\"\t{}\t"));
    EXPECT_EQ(sent.out.front().channel, "channel");
}

TEST(Packer, CoversPositionsThatHaveNoLine) {
    Sent sent;
    sent.packer.add(line(7, "1"));
    sent.packer.finish(9);
    EXPECT_THAT(sent.payloads(), ElementsAre("9f3c01ab5577de20 5 9 1\n7\t107\t[\"r\"]\t\"name\"\t{}\t1"));
    Sent none;
    none.packer.finish(6);
    EXPECT_THAT(none.payloads(), ElementsAre("9f3c01ab5577de20 5 6 1"));
    Sent nothing;
    nothing.packer.finish(4);
    EXPECT_THAT(nothing.payloads(), ElementsAre());
}

TEST(Packer, FillsNotificationsAndLeavesNoHole) {
    Sent sent;
    const std::string payload(300, '7');
    for (std::int64_t position = 5; position < 205; ++position) sent.packer.add(line(position, payload));
    sent.packer.finish(204);
    EXPECT_LT(sent.out.size(), 10u);
    std::int64_t next = 5;
    std::uint64_t sequence = 0;
    for (const Notification &notification : sent.out) {
        EXPECT_LE(notification.payload.size(), kMaxNotification);
        long long first = 0, last = 0;
        unsigned long long number = 0;
        ASSERT_EQ(std::sscanf(notification.payload.c_str(), "9f3c01ab5577de20 %lld %lld %llu\n", &first, &last, &number), 3);
        EXPECT_EQ(first, next);
        EXPECT_EQ(number, ++sequence);
        EXPECT_EQ(std::count(notification.payload.begin(), notification.payload.end(), '\n'), last - first + 1);
        next = last + 1;
    }
    EXPECT_EQ(next, 205);
}

// Around the limit, byte by byte: with the payload, then by reference, then with nothing but the numbers.
TEST(Packer, SendsLargeEventsByReference) {
    bool with_payload = false, by_reference = false;
    for (std::size_t size = 7700; size < 8200; ++size) {
        Sent sent;
        sent.packer.add(line(5, std::string(size, '1')));
        sent.packer.finish(5);
        ASSERT_EQ(sent.out.size(), 1u);
        const std::string &payload = sent.out.front().payload;
        ASSERT_LE(payload.size(), kMaxNotification);
        const bool reference = payload.ends_with("\t{}\t");
        (reference ? by_reference : with_payload) = true;
        EXPECT_TRUE(reference || payload.ends_with(std::string(size, '1')));
        EXPECT_FALSE(by_reference && !reference) << "larger ones do not fit either";
    }
    EXPECT_TRUE(with_payload && by_reference);
    Sent sent;
    sent.packer.add({5, 1, "[\"" + std::string(9000, 'r') + "\"]", "name", "{}", "1", false});
    sent.packer.add(line(6, "2"));
    sent.packer.finish(6);
    EXPECT_THAT(sent.payloads(), ElementsAre("9f3c01ab5577de20 5 6 1\n5\t1\t\t\t\t\n6\t106\t[\"r\"]\t\"name\"\t{}\t2"));
}

TEST(LegacyPayload, AddsTheEventsId) {
    EXPECT_EQ(legacy_payload(R"({"a":1})", 7), R"({"a":1,"eventId":"7"})");
    EXPECT_EQ(legacy_payload("{}", 7), R"({"eventId":"7"})");
    EXPECT_EQ(legacy_payload(" { \"a\" : [ 1 , 2 ] } ", 7), R"({"a":[1,2],"eventId":"7"})");
    EXPECT_EQ(legacy_payload(R"({"eventId":{"x":"}"},"a":"\"eventId\":1"})", 7), R"({"a":"\"eventId\":1","eventId":"7"})");
    EXPECT_EQ(legacy_payload(R"({"event\u0049d":1})", 7), R"({"eventId":"7"})");
    EXPECT_EQ(legacy_payload(R"({"in":{"eventId":1}})", 7), R"({"in":{"eventId":1},"eventId":"7"})");
}

TEST(LegacyPayload, WrapsWhatIsNoObject) {
    for (const char *payload : {"null", "1.50", "true", R"("text")", "[1,2]"})
        EXPECT_EQ(legacy_payload(payload, 7), std::string(R"({"payload":)") + payload + R"(,"eventId":"7"})");
}

TEST(LegacyPayload, TruncatesAtItsLimit) {
    const std::string truncated = R"({"eventId":"7","truncated":true})";
    EXPECT_EQ(legacy_truncated(7), truncated);
    const std::size_t around = legacy_payload(R"({"a":""})", 7).size();
    const auto sized = [](std::size_t size) { return R"({"a":")" + std::string(size, 'x') + R"("})"; };
    EXPECT_EQ(legacy_payload(sized(kMaxLegacyPayload - around), 7).size(), kMaxLegacyPayload);
    EXPECT_EQ(legacy_payload(sized(kMaxLegacyPayload - around + 1), 7), truncated);
}

TEST(PackEphemeral, E3EachNotificationIsUniqueAndFits) {
    std::uint64_t sequence = 4;
    EXPECT_THAT(pack_ephemeral(kEpoch, {"[\"r\"]\t\"t\"\t{}\t1", "[\"r\"]\t\"t\"\t{}\t1"}, sequence, 2),
                ElementsAre("9f3c01ab5577de20 ~ 5 2\n[\"r\"]\t\"t\"\t{}\t1\n[\"r\"]\t\"t\"\t{}\t1"));
    EXPECT_THAT(pack_ephemeral(kEpoch, {}, sequence, 2), testing::IsEmpty());
    const std::uint64_t most = UINT64_MAX - 100;
    sequence = most;
    const auto out = pack_ephemeral(kEpoch, std::vector<std::string>(10, std::string(7900, 'x')), sequence, UINT64_MAX);
    EXPECT_EQ(out.size(), 10U);
    EXPECT_EQ(sequence, most + 10);
    for (const std::string &one : out) EXPECT_LE(one.size(), kMaxNotification);
    EXPECT_NE(out[0], out[1]);
}

}  // namespace
}  // namespace pulse::dispatch
