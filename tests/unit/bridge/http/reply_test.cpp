// How answers are written, and which origins may read them.
#include "http/reply.hpp"

#include <gtest/gtest.h>

namespace bridge::http {
namespace {

Request asked(std::string origin = {}) {
    Request request;
    request.method = Method::get;
    request.path = "/socket.io/";
    request.headers = {{"host", "pulse.example"}};
    if (!origin.empty()) request.headers.emplace_back("origin", std::move(origin));
    return request;
}

std::string header(const Reply &reply, std::string_view name) {
    for (const auto &[key, value] : reply.headers) {
        if (key == name) return value;
    }
    return "-";
}

TEST(Cors, SocketsFollowTheListOfOrigins) {
    const Cors any{{"*"}}, none{}, some{{"https://app.example"}};
    const Request evil = asked("https://evil.example");
    EXPECT_TRUE(any.allows_socket(evil));
    EXPECT_TRUE(none.allows_socket(evil));
    EXPECT_FALSE(some.allows_socket(evil));
    EXPECT_TRUE(some.allows_socket(asked("https://app.example")));
    EXPECT_TRUE(some.allows_socket(asked("http://pulse.example")));  // its own page
    EXPECT_FALSE(some.allows_socket(asked("http://pulse.example.evil")));
    EXPECT_TRUE(some.allows_socket(asked()));  // no browser
}

TEST(Cors, AnswersNameTheOriginOnlyWhenItMayReadAndCookiesOnlyForOnesThatAreListed) {
    const Cors some{{"https://app.example"}}, any{{"*"}};
    Reply refused, allowed, open;
    some.add_headers(asked("https://evil.example"), refused);
    EXPECT_EQ(header(refused, "Access-Control-Allow-Origin"), "-");
    EXPECT_EQ(header(refused, "Vary"), "Origin");
    some.add_headers(asked("https://app.example"), allowed);
    EXPECT_EQ(header(allowed, "Access-Control-Allow-Origin"), "https://app.example");
    EXPECT_EQ(header(allowed, "Access-Control-Allow-Credentials"), "true");
    any.add_headers(asked("https://app.example"), open);
    EXPECT_EQ(header(open, "Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(header(open, "Access-Control-Allow-Credentials"), "-");
    Request preflight = asked("https://app.example");
    preflight.headers.emplace_back("access-control-request-headers", "authorization");
    const Reply answer = some.preflight(preflight);
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(header(answer, "Access-Control-Allow-Headers"), "authorization");
}

TEST(Reply, HeadHasTheHeadersOfTheBodyAndNoBody) {
    Request request = asked();
    Reply reply;
    reply.body = "{}";
    const std::string with = render(request, reply);
    request.method = Method::head;
    EXPECT_EQ(with, render(request, reply) + "{}");
    EXPECT_NE(with.find("Content-Length: 2\r\n"), std::string::npos);
    EXPECT_NE(with.find("Connection: keep-alive\r\n"), std::string::npos);
}

TEST(Reply, AHeaderCannotEndItsLine) {
    Reply reply;
    reply.headers = {{"Access-Control-Allow-Headers", "x\r\nSet-Cookie: a=b"}, {"X\r\nSet-Cookie", "b"}};
    EXPECT_EQ(render(asked(), reply).find("Set-Cookie"), std::string::npos);
}

TEST(Reply, OneWithoutEndSaysNoLengthAndCloses) {
    Reply reply;
    reply.content_type = "text/event-stream";
    EXPECT_EQ(render_endless_head(asked(), reply),
              "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
}

TEST(Reply, AnErrorHasTheStatusOfItsRowAndSaysWhenToComeBack) {
    const Reply limited = error_reply(Error{Errc::rate_limited, "too fast", {}, 7});
    EXPECT_EQ(limited.status, 429);
    EXPECT_EQ(header(limited, "Retry-After"), "7");
    EXPECT_EQ(limited.body, R"({"error":{"code":"rate_limited","message":"too fast","retryAfter":7}})");
    EXPECT_EQ(header(error_reply(Error{Errc::unavailable, {}, {}, 0}), "Retry-After"), "1");
    EXPECT_EQ(header(error_reply(Error{Errc::not_found, {}, {}, 0}), "Retry-After"), "-");
}

}  // namespace
}  // namespace bridge::http
