// Who is not admitted hears why in words that his page may read; who says nothing, or is one of too many, hears them all the same.
#include "transport/refusals.hpp"

#include "listeners.hpp"

namespace bridge::transport {
namespace {

using namespace test;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

struct RefusalsTest : ::testing::Test {
    net::Peer come(net::Refusal why = net::Refusal::too_fast, std::size_t goodbyes = 0) {
        net::Connected made = net::connect(loop);
        refusals.refuse(std::move(made.stream), why, goodbyes);
        return std::move(made.peer);
    }
    std::string ask(const net::Peer &peer, std::string_view text) {
        peer.say(text);
        net::turns(loop);
        return peer.hear();
    }

    loop::Loop loop;
    handlers::test::FakeDeadlines deadlines;
    http::Cors cors{{"https://app.example", "https://other.example"}};
    Refusals refusals{deadlines, cors, {}};
};

TEST_F(RefusalsTest, M10APageMayReadWhyItIsRefused) {
    const auto answer = [&](net::Refusal why) {
        return ask(come(why), "GET /api/x HTTP/1.1\r\nHost: h\r\nOrigin: https://app.example\r\n\r\n");
    };
    const auto readable = AllOf(HasSubstr("\r\nAccess-Control-Allow-Origin: https://app.example\r\n"), HasSubstr("\r\nVary: Origin\r\n"),
                                HasSubstr("\r\nAccess-Control-Expose-Headers: Pulse-Cursor, Retry-After\r\n"), HasSubstr("<end>"));
    EXPECT_THAT(answer(net::Refusal::full), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("\r\nRetry-After: 5\r\n"),
                                                  HasSubstr(R"({"error":{"code":"unavailable")"), readable));
    EXPECT_THAT(answer(net::Refusal::too_many_of_ip), AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("\r\nRetry-After: 5\r\n"), readable));
    EXPECT_THAT(answer(net::Refusal::too_fast), AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("\r\nRetry-After: 1\r\n"), readable));
    EXPECT_THAT(ask(come(), "GET / HTTP/1.1\r\nHost: h\r\nOrigin: https://bad.example\r\n\r\n"), Not(HasSubstr("Access-Control")));
    EXPECT_EQ(refusals.size(), 0u);
}

TEST_F(RefusalsTest, M10ABrowserThatAsksFirstIsToldThatItMay) {
    const std::string answer = ask(come(), "OPTIONS /api/x HTTP/1.1\r\nHost: h\r\nOrigin: https://other.example\r\n"
                                           "Access-Control-Request-Method: PATCH\r\nAccess-Control-Request-Headers: authorization\r\n\r\n");
    EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 204 "), HasSubstr("\r\nAccess-Control-Allow-Headers: authorization\r\n"),
                              HasSubstr("\r\nAccess-Control-Allow-Origin: https://other.example\r\n"), HasSubstr("<end>")));
    EXPECT_THAT(ask(come(), "OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n"), StartsWith("HTTP/1.1 429 "));
}

TEST_F(RefusalsTest, M10BodiesAndWhatIsNoRequestAreRefusedAlike) {
    const std::string origin = "Host: h\r\nOrigin: https://app.example\r\n";
    for (const std::string &text : {"POST / HTTP/1.1\r\n" + origin + "Content-Length: 5\r\n\r\nhello", "nonsense\r\n\r\n" + origin,
                                    "GET / HTTP/1.1\r\n" + origin + "Content-Length: x\r\n\r\n"}) {
        EXPECT_THAT(ask(come(), text), AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("<end>"))) << text;
    }
}

TEST_F(RefusalsTest, M10WhoSaysNothingHearsItAfterAMoment) {
    const net::Peer silent = come(), slow = come();
    EXPECT_EQ(ask(slow, "GET / HTTP/1.1\r\nOrigin: https://app.example\r\n"), "");
    EXPECT_EQ(refusals.size(), 2u);
    deadlines.advance(1'100);
    net::turns(loop);
    EXPECT_THAT(silent.hear(), AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("<end>")));
    EXPECT_THAT(slow.hear(), AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("Access-Control-Allow-Origin: https://app.example")));
    EXPECT_EQ(refusals.size(), 0u);
}

TEST_F(RefusalsTest, M10OneOfTooManyIsAnsweredWithoutBeingRead) {
    std::vector<net::Peer> silent;
    for (std::size_t n = 0; n < Refusals::kMostRead; ++n) silent.push_back(come());
    EXPECT_EQ(refusals.size(), Refusals::kMostRead);
    const net::Peer late = come();
    net::turns(loop);
    EXPECT_THAT(late.hear(), AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("\r\nContent-Length: "), HasSubstr(R"({"error":{"code":)")));
    EXPECT_EQ(refusals.size(), Refusals::kMostRead);
    const net::Peer crowded = come(net::Refusal::full, Refusals::kMostRead);
    net::turns(loop);
    EXPECT_THAT(crowded.hear(), StartsWith("HTTP/1.1 503 ")) << "goodbyes of others count, too";
    EXPECT_THAT(silent.front().hear(), IsEmpty());
}

}  // namespace
}  // namespace bridge::transport
