// Ids, cursors, base64, random ids, times, results and the error table.
#include "base/ids.hpp"

#include <set>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/rng.hpp"

namespace bridge {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Cursor, ComesBackFromItsText) {
    const auto cursor = Cursor::parse("9f3c01ab5577de20:1200");
    ASSERT_TRUE(cursor);
    EXPECT_EQ(cursor->epoch, "9f3c01ab5577de20");
    EXPECT_EQ(cursor->position.value, 1200U);
    EXPECT_EQ(cursor->text(), "9f3c01ab5577de20:1200");
    EXPECT_EQ(Cursor::parse("0000000000000000:18446744073709551615")->position.value, UINT64_MAX);
}

TEST(Cursor, RefusesEveryOtherText) {
    for (const char *text : {"", ":", "9f3c01ab5577de20", "9f3c01ab5577de20:", "9f3c01ab5577de2:1", "9f3c01ab5577de200:1",
                             "9F3C01AB5577DE20:1", "9f3c01ab5577de20:-1", "9f3c01ab5577de20:01", "9f3c01ab5577de20:1 ",
                             "9f3c01ab5577de20: 1", "9f3c01ab5577de20:1x", "9f3c01ab5577de20:18446744073709551616", "9f3c01ab5577deg0:1"}) {
        EXPECT_FALSE(Cursor::parse(text)) << text;
    }
}

TEST(PublicId, AcceptsExactlyTwentyUrlSafeCharacters) {
    EXPECT_TRUE(PublicId::parse("abcdefghijklmnop-_09"));
    EXPECT_FALSE(PublicId::parse("abcdefghijklmnop-_0"));
    EXPECT_FALSE(PublicId::parse("abcdefghijklmnop-_099"));
    EXPECT_FALSE(PublicId::parse("abcdefghijklmnop+_09"));
    EXPECT_FALSE(PublicId{});
}

TEST(Rng, GivesDifferentUrlSafeIds) {
    SystemRng rng;
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const PublicId id = rng.id();
        EXPECT_TRUE(PublicId::parse(id.view()));
        seen.emplace(id.view());
    }
    EXPECT_EQ(seen.size(), 1000U);
}

TEST(Rng, GivesAnyNumberOfBytesAndNoneTwice) {
    SystemRng rng;
    std::set<std::string> seen;
    for (const std::size_t size : {8U, 1000U, 1016U, 1024U, 1025U, 5000U, 16U}) {
        std::vector<std::byte> bytes(size);
        rng.fill(bytes);
        for (std::size_t at = 0; at + 8 <= size; at += 8) EXPECT_TRUE(seen.emplace(reinterpret_cast<const char *>(&bytes[at]), 8).second);
    }
}

TEST(Rng, FakeIsTheSameEachRunAndOtherForEachSeed) {
    FakeRng one(1), again(1), two(2);
    const PublicId first = one.id();
    EXPECT_EQ(first, again.id());
    EXPECT_FALSE(first == two.id());
    EXPECT_FALSE(first == one.id());
}

TEST(Base64, ComesBackForEveryLength) {
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(base64::decode(base64::encode(bytes)), bytes);
        EXPECT_EQ(base64::decode_url(base64::encode_url(bytes)), bytes);
        bytes += static_cast<char>(i * 37);
    }
    EXPECT_EQ(base64::encode("fo"), "Zm8=");
    EXPECT_EQ(base64::encode_url("\xfb\xff"), "-_8");
}

TEST(Base64, HasOneTextForEachValue) {
    for (const char *text : {"Zm9=", "Zm8", "Zm8==", "Z===", "=", "Zm 8", "Zm8=\n", "Zm8=Zm8=", "Zh==", "Zm-_"}) {
        EXPECT_FALSE(base64::decode(text)) << text;
    }
    for (const char *text : {"Zm9", "Zm8=", "Z", "Zh", "Zm+/", "Z m8"}) EXPECT_FALSE(base64::decode_url(text)) << text;
    EXPECT_TRUE(base64::decode(""));
}

TEST(Clock, PrintsIso8601WithMilliseconds) {
    using namespace std::chrono;
    EXPECT_EQ(iso8601(sys_days{2024y / 2 / 29} + 23h + 59min + 58s + 7ms), "2024-02-29T23:59:58.007Z");
    FakeClock clock;
    const auto before = clock.now();
    const auto wall = clock.wall();
    clock.advance(1500ms);
    EXPECT_EQ(clock.now() - before, 1500ms);
    EXPECT_EQ(clock.wall() - wall, 1500ms);
}

Result<int> half(int n) {
    if (n % 2) return Error{Errc::invalid, "odd", {}};
    return n / 2;
}
Result<int> quarter(int n) {
    BRIDGE_TRY(h, half(n));
    return half(h);
}
Result<void> even(int n) {
    BRIDGE_CHECK(half(n));
    return {};
}

TEST(Result, TryHandsTheErrorToTheCaller) {
    EXPECT_EQ(*quarter(12), 3);
    EXPECT_EQ(quarter(6).error().detail, "odd");
    EXPECT_EQ(quarter(3).error().code, Errc::invalid);
    EXPECT_TRUE(even(2));
    EXPECT_FALSE(even(3));
    EXPECT_EQ(half(3).value_or(7), 7);
}

TEST(Errors, TableIsInTheOrderOfTheEnum) {
    for (std::size_t i = 0; i < kErrors.size(); ++i) EXPECT_EQ(static_cast<std::size_t>(kErrors[i].errc), i);
}

TEST(Errors, ClientCodesHaveTheStatusOfTheContract) {
    const std::pair<const char *, int> contract[] = {{"bad_request", 400}, {"unauthenticated", 401}, {"forbidden", 403},
                                                     {"not_found", 404},   {"conflict", 409},        {"payload_too_large", 413},
                                                     {"invalid", 422},     {"rate_limited", 429},    {"internal", 500},
                                                     {"unavailable", 503}, {"must_refetch", 410}};
    for (const auto &[code, status] : contract) {
        EXPECT_EQ(info(errc_from_code(code)).code, code);
        EXPECT_EQ(info(errc_from_code(code)).http_status, status);
    }
    for (const ErrorInfo &row : kErrors) {
        const bool known = std::any_of(std::begin(contract), std::end(contract), [&](const auto &c) { return row.code == c.first; });
        EXPECT_TRUE(known) << row.code;
        EXPECT_TRUE((row.close_code >= 1000 && row.close_code <= 1015) || (row.close_code >= 4000 && row.close_code < 4500));
    }
    EXPECT_EQ(errc_from_code("no such code"), Errc::internal);
}

TEST(Log, IsOneJsonObjectALine) {
    const std::string line =
        log::render(log::Level::warn, "a \"b\"\n", {{"text", "x\ty"}, {"n", 5}, {"real", 0.5}, {"yes", true}, {"bad", "\xff"}},
                    "2024-01-01T00:00:00.000Z");
    EXPECT_EQ(line.find('\n'), std::string::npos);
    const auto tree = json::parse(line);
    ASSERT_TRUE(tree) << line;
    EXPECT_EQ((*tree)["level"], "warn");
    EXPECT_EQ((*tree)["message"], "a \"b\"\n");
    EXPECT_EQ((*tree)["text"], "x\ty");
    EXPECT_EQ((*tree)["n"], 5);
    EXPECT_EQ((*tree)["yes"], true);
}

TEST(Metrics, LabelsStayBoundedWhateverClientsSend) {
    Metrics metrics("1.0.0", "abc");
    metrics.know_event("order:created");
    metrics.messages_received("/", "order:created").Increment();
    for (int i = 0; i < 5000; ++i) metrics.messages_received("/x" + std::to_string(i), "evil" + std::to_string(i)).Increment();
    const std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr(R"(realtime_messages_received_total{event="order:created",namespace="/"} 1)"));
    EXPECT_THAT(text, HasSubstr(R"(realtime_messages_received_total{event="other",namespace="other"} 5000)"));
    EXPECT_THAT(text, Not(HasSubstr("evil")));
    for (int i = 0; i < 5000; ++i) metrics.know_event("e" + std::to_string(i));
    EXPECT_EQ(&metrics.messages_sent("/", "e4999"), &metrics.messages_sent("/", "unknown"));
}

TEST(Metrics, CountersKeepTheirAddressAndBuildInfoIsThere) {
    Metrics metrics("1.2.3", "c0ffee");
    prometheus::Counter &first = metrics.messages_sent("/", "ping");
    first.Increment(3);
    EXPECT_EQ(&first, &metrics.messages_sent("/", "ping"));
    const std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr(R"(pulse_build_info{commit="c0ffee",version="1.2.3"} 1)"));
    EXPECT_THAT(text, HasSubstr("process_cpu_seconds_total"));
    EXPECT_THAT(text, HasSubstr("process_resident_memory_bytes"));
}

}  // namespace
}  // namespace bridge
