// What Engine.IO refuses and in which order, and the WebSocket handshake. Bodies as the official server writes them.
#include "transport/engineio.hpp"

#include <gmock/gmock.h>

#include "transport/websocket.hpp"

namespace bridge::transport {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

http::Request get(std::vector<std::pair<std::string, std::string>> query) {
    http::Request request;
    request.method = http::Method::get;
    request.path = "/socket.io/";
    request.query = std::move(query);
    return request;
}

http::Request upgrade(std::vector<std::pair<std::string, std::string>> query) {
    http::Request request = get(std::move(query));
    request.upgrade = true;
    request.headers = {{"host", "a"}, {"sec-websocket-version", "13"}, {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};
    return request;
}

std::string refusal(const http::Request &request, Sid sid = Sid::none, bool full = false, const http::Cors &cors = {}) {
    const auto reply = refuse_engineio(request, sid, full, cors);
    return reply ? std::to_string(reply->status) + " " + reply->body : "";
}

const std::string kTransport = R"(400 {"code":0,"message":"Transport unknown"})", kSid = R"(400 {"code":1,"message":"Session ID unknown"})",
                  kMethod = R"(400 {"code":2,"message":"Bad handshake method"})", kRequest = R"(400 {"code":3,"message":"Bad request"})",
                  kForbidden = R"(403 {"code":4,"message":"Forbidden"})",
                  kVersion = R"(400 {"code":5,"message":"Unsupported protocol version"})";

TEST(EngineioRefuses, E5NothingThatIsRight) {
    EXPECT_EQ(refusal(get({{"EIO", "4"}, {"transport", "polling"}, {"t", "x"}, {"anything", "else"}})), "");
    EXPECT_EQ(refusal(upgrade({{"EIO", "4"}, {"transport", "websocket"}})), "");
    EXPECT_EQ(refusal(get({{"transport", "polling"}, {"sid", "x"}}), Sid::polling), "") << "EIO is for the handshake";
    EXPECT_EQ(refusal(upgrade({{"transport", "websocket"}, {"sid", "x"}}), Sid::polling), "");
    auto post = get({{"transport", "polling"}, {"sid", "x"}});
    post.method = http::Method::post;
    EXPECT_EQ(refusal(post, Sid::polling), "");
}

TEST(EngineioRefuses, E5EachRowOfTheTable) {
    EXPECT_EQ(refusal(get({{"EIO", "4"}})), kTransport);
    EXPECT_EQ(refusal(get({{"EIO", "4"}, {"transport", "carrier-pigeon"}})), kTransport);
    auto odd = get({{"EIO", "4"}, {"transport", "polling"}});
    odd.headers.emplace_back("origin", "http://\xc3\xa9");
    EXPECT_EQ(refusal(odd), kRequest);
    EXPECT_EQ(refusal(get({{"EIO", "4"}, {"transport", "polling"}, {"sid", "__proto__"}}), Sid::unknown), kSid);
    EXPECT_EQ(refusal(get({{"EIO", "4"}, {"transport", "polling"}, {"sid", "x"}}), Sid::websocket), kRequest);
    EXPECT_EQ(refusal(get({{"EIO", "4"}, {"transport", "websocket"}, {"sid", "x"}}), Sid::polling), kRequest);
    EXPECT_EQ(refusal(get({{"EIO", "4"}, {"transport", "websocket"}, {"sid", "x"}}), Sid::websocket), kRequest);
    auto post = get({{"EIO", "4"}, {"transport", "polling"}});
    post.method = http::Method::post;
    EXPECT_EQ(refusal(post), kMethod);
    EXPECT_EQ(refusal(get({{"EIO", "4"}, {"transport", "websocket"}})), kRequest);
    EXPECT_EQ(refusal(upgrade({{"EIO", "4"}, {"transport", "polling"}})), kRequest);
    EXPECT_EQ(refusal(get({{"EIO", "4"}, {"transport", "polling"}}), Sid::none, true), kForbidden);
    EXPECT_EQ(refusal(get({{"EIO", "3"}, {"transport", "polling"}})), kVersion);
    EXPECT_EQ(refusal(get({{"transport", "polling"}})), kVersion);
    EXPECT_EQ(refusal(upgrade({{"EIO", "abc"}, {"transport", "websocket"}})), kVersion);
}

TEST(EngineioRefuses, E5InTheOrderOfTheTable) {
    // Everything is wrong; one after the other is put right.
    auto request = get({{"EIO", "3"}, {"transport", "abc"}, {"sid", "x"}});
    request.method = http::Method::put;
    request.headers = {{"origin", "http://\x7f"}};
    http::Cors cors{{"https://app.example"}};
    EXPECT_EQ(refusal(request, Sid::unknown, true, cors), kTransport);
    request.query[1].second = "polling";
    EXPECT_EQ(refusal(request, Sid::unknown, true, cors), kRequest);
    request.headers[0].second = "https://other.example";
    EXPECT_EQ(refusal(request, Sid::unknown, true, cors), kSid);
    EXPECT_EQ(refusal(request, Sid::websocket, true, cors), kRequest);
    request.query.pop_back();
    EXPECT_EQ(refusal(request, Sid::none, true, cors), kMethod);
    request.method = http::Method::get;
    EXPECT_EQ(refusal(request, Sid::none, true, cors), kForbidden);
    request.headers[0].second = "https://app.example";
    EXPECT_EQ(refusal(request, Sid::none, true, cors), kForbidden);
    EXPECT_EQ(refusal(request, Sid::none, false, cors), kVersion);
    request.query[0].second = "4";
    EXPECT_EQ(refusal(request, Sid::none, false, cors), "");
}

TEST(WebSocketHandshake, S1TakesWhatTheRfcDemands) {
    EXPECT_FALSE(refuse_handshake(upgrade({})));
    const auto refused = [](auto change) {
        http::Request request = upgrade({});
        change(request);
        const auto reply = refuse_handshake(request);
        return reply ? reply->status : 0;
    };
    EXPECT_EQ(refused([](auto &r) { r.method = http::Method::post; }), 400);
    EXPECT_EQ(refused([](auto &r) { r.http11 = false; }), 400);
    EXPECT_EQ(refused([](auto &r) { r.has_body = true; }), 400);
    EXPECT_EQ(refused([](auto &r) { r.headers[1].second = "7"; }), 426);
    EXPECT_EQ(refused([](auto &r) { r.headers[1].second = ""; }), 426);
    EXPECT_EQ(refused([](auto &r) { r.headers[2].second = "c2hvcnQ="; }), 400);
    EXPECT_EQ(refused([](auto &r) { r.headers.pop_back(); }), 400);
    EXPECT_THAT(refuse_handshake([] {
                    http::Request request = upgrade({});
                    request.headers[1].second = "7";
                    return request;
                }())
                    ->headers,
                ElementsAre(std::pair<std::string, std::string>("Sec-WebSocket-Version", "13")));
}

TEST(WebSocketHandshake, S1AnswersWithTheKeyOfTheRfcsExample) {
    const std::string answer = handshake_answer(upgrade({}), "");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 "));
    EXPECT_THAT(answer, HasSubstr("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    EXPECT_EQ(answer.find("Sec-WebSocket-Protocol"), std::string::npos);
    EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
    EXPECT_THAT(handshake_answer(upgrade({}), "chat"), HasSubstr("\r\nSec-WebSocket-Protocol: chat\r\n"));
}

TEST(WebSocketHandshake, S1ReadsOfferedSubprotocols) {
    http::Request request = upgrade({});
    EXPECT_THAT(offered_subprotocols(request), IsEmpty());
    request.headers.emplace_back("sec-websocket-protocol", "a,  b ,,c");
    request.headers.emplace_back("sec-websocket-protocol", "d");
    EXPECT_THAT(offered_subprotocols(request), ElementsAre("a", "b", "c", "d"));
}

}  // namespace
}  // namespace bridge::transport
