// What is refused, and what ends by its deadline: requests that can be read in two ways, that are too large, that never end.
#include "service.hpp"

namespace bridge::http {
namespace {

TEST_F(HttpConnection, M10AFloodOfPipelinedRequestsIsLeftToTheKernel) {
    limits.max_pipelined = 1000;
    connections = std::make_unique<Connections>(clock, *this, cors, limits);
    watch_all();
    const Peer peer = connect();
    std::string flood;
    constexpr int kRequests = 2000;
    for (int n = 0; n < kRequests; ++n) flood += "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
    peer.say(flood);
    std::string heard;
    for (int n = 0; n < 100'000 && requests < kRequests; ++n) {
        turns(loop, 1);
        if (parked != nullptr) answer(*std::exchange(parked, nullptr));
        heard += peer.hear();
    }
    EXPECT_EQ(requests, kRequests);
}

TEST_F(HttpConnection, M10AClientThatTakesNoAnswersIsNotReadEither) {
    on_request = [](Exchange &exchange) {
        Reply reply;
        reply.body = std::string(50'000, 'x');
        exchange.respond(std::move(reply));
    };
    const Peer peer = connect(8192);
    std::string flood;
    for (int n = 0; n < 500; ++n) flood += "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
    peer.say(flood);
    turns(loop, 20);
    EXPECT_LT(requests, 10);
    for (int n = 0; n < 100'000 && requests < 500; ++n) {
        (void)peer.hear();
        turns(loop, 1);
    }
    EXPECT_EQ(requests, 500);
}

TEST_F(HttpConnection, M10WhatCanBeReadInTwoWaysIsRefusedAndClosed) {
    const std::string head = "POST / HTTP/1.1\r\nHost: h\r\n";
    for (const auto &[text, status] : std::vector<std::pair<std::string, int>>{
             {head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
             {head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
             {head + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
             {head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400},
             {head + "Content-Length: -1\r\n\r\n", 400},
             {head + "Content-Length: +1\r\n\r\na", 400},
             {head + "Content-Length: 0x1\r\n\r\na", 400},
             {head + "Content-Length: 1, 1\r\n\r\na", 400},
             {head + "Content-Length : 1\r\n\r\na", 400},
             {head + "Content-Length: 99999999999999999999999999\r\n\r\n", 400},
             {head + "Content-Length: 1000001\r\n\r\n", 413},
             {head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
             {head + "Transfer-Encoding: gzip\r\n\r\n", 501},
             {head + "Transfer-Encoding: xchunked\r\n\r\n", 501},
             {head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
             {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
             {"GET / HTTP/1.1\r\nHost: a\r\n\rX", 400},
             {"GET / HTTP/1.1\r\nHost: a\r\nX:\rYContent-Length: 5\r\n\r\n", 400},
             {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n", 400},
             {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tfolded\r\n\r\n", 400},
             {"GET / HTTP/1.1\r\n\r\n", 400},
             {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
             {"GET / HTTP/1.1\r\nHost: a\r\nBad Name: b\r\n\r\n", 400},
             {"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400},
             {"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
             {"GET /?x=%ff HTTP/1.1\r\nHost: a\r\n\r\n", 400},
             {"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 400},
             {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
             {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
             {"CONNECT a:22 HTTP/1.1\r\nHost: a\r\n\r\n", 405},
             {"\x16\x03\x01 garbage\r\n\r\n", 400},
             {"GET / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417},
         }) {
        const std::string answer = ask(text);
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(status) + " ")) << text;
        EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n")) << text;
        EXPECT_THAT(answer, testing::EndsWith("<end>")) << text;
    }
    EXPECT_EQ(requests, 0);
    watch_all();
    int malformed = 0;
    for (const char *body :
         {"zz\r\n", "\r\n", "5\r\nhelloXX0\r\n\r\n", "5\rXhello\r\n0\r\n\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
          "5 \r\nhello\r\n0\r\n\r\n", "-1\r\n", "0\r\n\rX", "0\r\nA: b\n\r\n", "0\r\n folded\r\n\r\n", "fffffffffffffffff\r\n"}) {
        EXPECT_THAT(ask(head + "Transfer-Encoding: chunked\r\n\r\n" + body), StartsWith("HTTP/1.1 400 ")) << body;
        EXPECT_EQ(lost, ++malformed) << body;
    }
    for (const char *coding : {"chunked\t", "chunked \t ", "Chunked"}) {  // with blanks behind it, and whatever its case
        EXPECT_EQ(ask(head + "Transfer-Encoding: " + coding + "\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "");
        EXPECT_EQ(std::exchange(completed, 0), 1);
        EXPECT_EQ(last.body, "abc");
    }
    const std::string huge = ask(head + "Transfer-Encoding: chunked\r\n\r\n5;" + std::string(20'000, 'x'));
    EXPECT_THAT(huge, StartsWith("HTTP/1.1 413 "));
    EXPECT_EQ(completed, 0);
    EXPECT_EQ(connections->size(), 0u);
}

TEST_F(HttpConnection, M10HeadersThatAreTooLongOrTooManyGet431) {
    const std::string start = "GET / HTTP/1.1\r\nHost: h\r\n";
    std::string many = start;
    for (int n = 0; n < 300; ++n) many += "X" + std::to_string(n) + ": y\r\n";
    for (const std::string &text :
         {start + "X: " + std::string(17'000, 'x') + "\r\n\r\n", many + "\r\n",
          "GET /" + std::string(20'000, 'p') + " HTTP/1.1\r\nHost: h\r\n\r\n", start + std::string(20'000, 'n')}) {
        EXPECT_THAT(ask(text), StartsWith("HTTP/1.1 431 "));
    }
    EXPECT_THAT(ask(start + "X: " + std::string(15'000, 'x') + "\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpConnection, M10ABodyThatIsTooLongIsRefusedAsSoonAsThatIsKnown) {
    limits.max_body = 10;
    connections = std::make_unique<Connections>(clock, *this, cors, limits);
    watch_all();
    EXPECT_THAT(ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
    EXPECT_EQ(requests, 0);
    const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    EXPECT_THAT(ask(chunked + "b\r\nh"), StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(ask(chunked + "a\r\n0123456789\r\n1\r\na"), StartsWith("HTTP/1.1 413 "));
    EXPECT_EQ(completed, 0);
    EXPECT_EQ(ask(chunked + "9\r\n012345678\r\n1\r\na\r\n0\r\n\r\n"), "");
    EXPECT_EQ(completed, 1);
}

TEST_F(HttpConnection, M10SlowHeadsAndDrippedBodiesEndByTheirDeadline) {
    watch_all();
    const Peer silent = connect(), dripping = connect(), body = connect();
    dripping.say("GET / HTTP/1.1\r\nX: ");
    body.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
    turns(loop);
    for (int second = 0; second < 9; ++second) {
        clock.pass(1000);
        dripping.say("x");
        body.say("x");
        turns(loop, 2);
    }
    EXPECT_EQ(connections->size(), 3u);
    clock.pass(1100);
    turns(loop);
    EXPECT_EQ(silent.hear(), "<end>");
    EXPECT_THAT(dripping.hear(), StartsWith("HTTP/1.1 408 "));
    EXPECT_EQ(connections->size(), 1u);
    clock.pass(4900);
    turns(loop);
    EXPECT_EQ(lost, 1);
    EXPECT_THAT(body.hear(), StartsWith("HTTP/1.1 408 "));
    EXPECT_EQ(connections->size(), 0u);
}

TEST_F(HttpConnection, M10AnIdleConnectionIsKeptForAWhileAndASlowNextHeadIsNot) {
    const Peer idle = connect(), slow = connect();
    for (const Peer *peer : {&idle, &slow}) EXPECT_THAT(ask(*peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), StartsWith("HTTP/1.1 200"));
    clock.pass(60'000);
    slow.say("GET");
    turns(loop);
    clock.pass(10'100);
    turns(loop);
    EXPECT_THAT(slow.hear(), StartsWith("HTTP/1.1 408"));
    EXPECT_EQ(connections->size(), 1u);
    clock.pass(5000);
    turns(loop);
    EXPECT_EQ(idle.hear(), "<end>");
}

TEST_F(HttpConnection, M10ABodyIsAskedForWith100Continue) {
    watch_all();
    const Peer peer = connect();
    EXPECT_EQ(ask(peer, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_EQ(completed, 0);
    EXPECT_EQ(ask(peer, "ab"), "");
    EXPECT_EQ(completed, 1);
    answer(*parked);
    EXPECT_THAT(peer.hear(), StartsWith("HTTP/1.1 200"));
    // One that is refused by its head is never asked for its body.
    on_request = answer;
    EXPECT_THAT(ask("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpConnection, M10AnAnswerBeforeTheBodyEndsTheConnectionAndArrives) {
    const Peer peer = connect();
    const std::string answer = ask(peer, "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nsome of it");
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
    EXPECT_THAT(answer, testing::EndsWith("[/early]<end>"));
    peer.say(std::string(50'000, 'x'));  // still read, so that the kernel does not reset
    turns(loop);
    EXPECT_EQ(requests, 1);
}

TEST_F(HttpConnection, M10VersionAndConnectionHeaderDecideWhetherItStays) {
    for (const auto &[text, stays] :
         std::vector<std::pair<std::string, bool>>{{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
                                                   {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
                                                   {"GET / HTTP/1.0\r\n\r\n", false},
                                                   {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true}}) {
        EXPECT_EQ(ask(text).ends_with("<end>"), !stays) << text;
    }
}

TEST_F(HttpConnection, M10HeadGetsNoBodyAndUpgradesThatAreNoWebSocketAreIgnored) {
    EXPECT_THAT(ask("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n"), testing::EndsWith("\r\n\r\n"));
    const std::string h2c = ask("GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                                "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_FALSE(last.upgrade);
    EXPECT_THAT(h2c, testing::EndsWith("[/y]"));
}

TEST_F(HttpConnection, M10EveryAnswerHasItsCorsHeadersEvenARefusal) {
    cors.origins = {"*"};
    for (const char *text : {"GET / HTTP/1.1\r\nHost: h\r\nOrigin: http://a\r\n\r\n",
                             "POST / HTTP/1.1\r\nHost: h\r\nOrigin: http://a\r\nContent-Length: 1000001\r\n\r\n",
                             "GET / HTTP/1.1\r\nHost: h\r\nOrigin: http://a\r\nTransfer-Encoding: gzip\r\n\r\n"}) {
        EXPECT_THAT(ask(text), HasSubstr("\r\nAccess-Control-Allow-Origin: *\r\n")) << text;
    }
}

}  // namespace
}  // namespace bridge::http
