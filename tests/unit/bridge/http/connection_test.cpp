// One request at a time, answered now or later, by whoever is asked; and the stream handed over.
#include <stdexcept>

#include "service.hpp"

namespace bridge::http {
namespace {

TEST_F(HttpConnection, M10ARequestIsReadAndAnswered) {
    const std::string answer =
        ask("GET /a%20b/c?x=1&y=a+b%2Bc%&x=2&z&%zz=%4 HTTP/1.1\r\nHost: h\r\nX-Some: Thing \r\nCookie: a=b; pulse_token=\"t\"\r\n\r\n");
    EXPECT_EQ(answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\nCache-Control: no-store\r\n"
                      "Connection: keep-alive\r\n\r\n[/a b/c]");
    EXPECT_EQ(last.method, Method::get);
    EXPECT_EQ(last.param("x"), "1");
    EXPECT_EQ(last.params("x"), (std::vector<std::string_view>{"1", "2"}));
    EXPECT_EQ(last.param("y"), "a b+c%");
    EXPECT_EQ(last.param("%zz"), "%4");
    EXPECT_EQ(last.param("z"), "");
    EXPECT_EQ(last.param("none"), std::nullopt);
    EXPECT_EQ(last.header("x-some"), "Thing");
    EXPECT_EQ(last.cookie("pulse_token"), "t");
    EXPECT_EQ(last.cookie("pulse"), "");
    EXPECT_EQ(last.ip, "192.0.2.1");
    EXPECT_FALSE(last.has_body);
    EXPECT_FALSE(last.upgrade);
}

TEST_F(HttpConnection, M10ARequestInSinglebytesIsTheSame) {
    const Peer peer = connect();
    watch_all();
    on_complete = [](Exchange &exchange) { answer(exchange); };
    for (const char c :
         std::string_view("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcPOST /q HTTP/1.1\r\nHost: h\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n01;name=\"value\"\r\nf\r\n0\r\nTrailer: ignored\r\n\r\n")) {
        peer.say({&c, 1});
        turns(loop, 2);
    }
    EXPECT_THAT(peer.hear(), HasSubstr("[/q]"));
    EXPECT_EQ(last.body, "def");
    EXPECT_EQ(last.header("trailer"), "");
    EXPECT_EQ(completed, 2);
}

TEST_F(HttpConnection, M10PipelinedRequestsAreAnsweredInOrderOneAtATime) {
    watch_all();
    const Peer peer = connect();
    EXPECT_EQ(ask(peer, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n"), "");
    for (const char *path : {"[/1]", "[/2]", "[/3]"}) {
        ASSERT_NE(parked, nullptr);
        answer(*std::exchange(parked, nullptr));
        EXPECT_EQ(parked, nullptr) << "the next one never begins inside respond()";
        turns(loop);
        EXPECT_THAT(peer.hear(), testing::EndsWith(path));
    }
    EXPECT_EQ(requests, 3);
    on_request = answer;
    EXPECT_THAT(ask(peer, "GET /4 HTTP/1.1\r\nHost: h\r\n\r\nGET /5 HTTP/1.1\r\nHost: h\r\n\r\n"),
                testing::AllOf(HasSubstr("[/4]HTTP/1.1 200"), testing::EndsWith("[/5]")));
}

TEST_F(HttpConnection, M10AParkedRequestHasNoDeadlineAndNoticesThatItsClientWent) {
    watch_all();
    Peer peer = connect();
    EXPECT_EQ(ask(peer, "GET /poll HTTP/1.1\r\nHost: h\r\n\r\n"), "");
    clock.pass(100'000);
    ASSERT_NE(parked, nullptr);
    peer.hang_up();
    turns(loop);
    EXPECT_EQ(lost, 1);
    EXPECT_EQ(parked, nullptr);
    EXPECT_EQ(connections->size(), 0u);
}

TEST_F(HttpConnection, M10AStreamIsHandedOverWithWhatCameBehindTheRequest) {
    net::Recorder user;
    net::StreamPtr taken;
    std::string received;
    on_request = [&](Exchange &exchange) {
        EXPECT_TRUE(exchange.request().upgrade);
        taken = exchange.detach(received);
        taken->use(user);
    };
    const Peer peer = connect();
    EXPECT_EQ(ask(peer, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n\x81\x80mask"), "");
    EXPECT_EQ(received, "\x81\x80mask");
    EXPECT_EQ(connections->size(), 0u);
    peer.say("more");
    turns(loop);
    EXPECT_EQ(user.heard, "more");
    EXPECT_EQ(taken->write("out"), net::Stream::Write::taken);
    EXPECT_EQ(peer.hear(), "out");
}

TEST_F(HttpConnection, M10AParkedRequestMayBecomeAStreamLater) {
    watch_all();
    net::Recorder user;
    const Peer peer = connect();
    ask(peer, "GET /sse HTTP/1.1\r\nHost: h\r\n\r\n");
    peer.say("behind");
    turns(loop);
    std::string received;
    const net::StreamPtr taken = parked->detach(received);
    taken->use(user);
    EXPECT_EQ(received, "behind");
    taken->write("data");
    EXPECT_EQ(peer.hear(), "data");
    peer.finish();
    turns(loop);
    EXPECT_EQ(user.ends, 1);
    EXPECT_EQ(lost, 0);
}

TEST_F(HttpConnection, M10NobodyAnsweringIsAnError) {
    on_request = [](Exchange &) {};
    EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), StartsWith("HTTP/1.1 500 "));
}

TEST_F(HttpConnection, M10DrainingClosesTheIdleWhenNothingIsOnItsWayAndTheOthersWithTheirAnswer) {
    watch_all();
    const Peer idle = connect(), busy = connect();
    ask(busy, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    connections->drain();
    turns(loop);
    EXPECT_EQ(idle.hear(), "");  // its request may be on its way
    EXPECT_EQ(connections->size(), 2u);
    clock.pass(500);
    connections->drain();
    turns(loop);
    EXPECT_EQ(idle.hear(), "<end>");
    answer(*parked);
    turns(loop);
    EXPECT_THAT(busy.hear(), testing::AllOf(HasSubstr("Connection: close"), testing::EndsWith("<end>")));
}

TEST_F(HttpConnection, M10AllMayGoInsideEachCall) {
    for (int which = 0; which < 3; ++which) {
        connections = std::make_unique<Connections>(clock, *this, cors, limits);
        const auto all_go = [this] { connections.reset(); };
        on_request = on_complete = nullptr;
        on_gone = nullptr;
        if (which == 0) {
            on_request = [&](Exchange &) { all_go(); };
        } else {
            watch_all();
            on_complete = [&](Exchange &) {
                if (which == 1) all_go();
            };
            on_gone = all_go;
        }
        Peer peer = connect();
        ask(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
        peer.hang_up();
        turns(loop);
        EXPECT_EQ(connections, nullptr) << which;
    }
}

TEST_F(HttpConnection, M10AnExceptionInWhoeverAnswersEndsThatConnection) {
    on_request = [](Exchange &) { throw std::runtime_error("a bug"); };
    EXPECT_EQ(ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "<end>");
    watch_all();
    on_complete = [](Exchange &) { throw std::runtime_error("another bug"); };
    EXPECT_EQ(ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "<end>");
    EXPECT_EQ(lost, 1);
    EXPECT_EQ(connections->size(), 0u);
}

TEST_F(HttpConnection, M10AClientThatOnlyStoppedSpeakingStillGetsItsWholeAnswer) {
    on_request = [](Exchange &exchange) {
        Reply reply;
        reply.body = std::string(200'000, 'x');
        exchange.respond(std::move(reply));
    };
    const Peer peer = connect(8192);
    peer.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    peer.finish();
    std::string heard;
    for (int n = 0; n < 1000 && !heard.ends_with("<end>"); ++n) {
        turns(loop, 1);
        heard += peer.hear();
    }
    EXPECT_GT(heard.size(), 200'000u);
}

TEST_F(HttpConnection, M10OneAnswerMayBringAboutAnother) {
    watch_all();
    const Peer get = connect(), post = connect();
    ask(get, "GET /get HTTP/1.1\r\nHost: h\r\n\r\n");
    Exchange *waiting = std::exchange(parked, nullptr);
    on_complete = [&](Exchange &exchange) {
        answer(*waiting);
        answer(exchange);
    };
    EXPECT_THAT(ask(post, "POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"), testing::EndsWith("[/post]"));
    EXPECT_THAT(get.hear(), testing::EndsWith("[/get]"));
}

}  // namespace
}  // namespace bridge::http
