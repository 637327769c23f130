// What is refused before a byte of protocol is spoken, and with which words.
#include "transport/router.hpp"

#include <gtest/gtest.h>

#include "transport/http.hpp"

namespace bridge::transport {
namespace {

Request handshake() {
    Request request;
    request.method = Method::get;
    request.path = "/socket.io/";
    request.query = {{"EIO", "4"}, {"transport", "websocket"}};
    request.upgrade = true;
    request.http11 = true;
    request.host = "pulse.example";
    request.websocket_version = "13";
    request.websocket_key = "dGhlIHNhbXBsZSBub25jZQ==";
    return request;
}

void set(Request &request, const std::string &name, const std::string &value) {
    for (auto &[key, old] : request.query) {
        if (key == name) {
            old = value;
            return;
        }
    }
    request.query.emplace_back(name, value);
}

TEST(Router, InternalPathsExistOnTheInternalListenerOnly) {
    for (const char *path : {"/internal/x", "/metrics"}) EXPECT_EQ(route(false, path), Route::not_found) << path;
    EXPECT_EQ(route(true, "/metrics"), Route::metrics);
    EXPECT_EQ(route(true, "/internal/realtime/x"), Route::internal);
    for (const char *path : {"/socket.io/", "/ws"}) EXPECT_EQ(route(true, path), Route::not_found) << path;
    EXPECT_EQ(route(false, "/socket.io/"), Route::socketio);
    EXPECT_EQ(route(false, "/ws"), Route::native);
    for (const bool internal : {false, true}) {
        EXPECT_EQ(route(internal, "/health"), Route::health);
        EXPECT_EQ(route(internal, "/ready"), Route::ready);
        for (const char *path : {"/", "", "/socket.io", "/health/", "/HEALTH", "/internal"}) {
            EXPECT_EQ(route(internal, path), Route::not_found) << path;
        }
    }
}

TEST(EngineIo, AGoodHandshakePasses) { EXPECT_FALSE(refuse_engineio(handshake(), {})); }

TEST(EngineIo, RefusalsComeInTheOrderOfTheReferenceImplementation) {
    Request request = handshake();
    request.query.clear();
    set(request, "EIO", "3");
    set(request, "sid", "x");
    request.origin = "http://a\x01";
    request.method = Method::post;
    request.upgrade = false;
    const Cors cors{{"http://only.example"}};
    const auto expect = [&](int status, const char *body) {
        const auto reply = refuse_engineio(request, cors);
        ASSERT_TRUE(reply);
        EXPECT_EQ(reply->status, status);
        EXPECT_EQ(reply->body, body);
        EXPECT_EQ(reply->content_type, "application/json");
    };
    expect(400, R"({"code":0,"message":"Transport unknown"})");
    set(request, "transport", "polling");  // not offered here
    expect(400, R"({"code":0,"message":"Transport unknown"})");
    set(request, "transport", "websocket");
    expect(400, R"({"code":3,"message":"Bad request"})");
    request.origin = "http://other.example";
    expect(400, R"({"code":1,"message":"Session ID unknown"})");
    std::erase_if(request.query, [](const auto &one) { return one.first == "sid"; });
    expect(400, R"({"code":2,"message":"Bad handshake method"})");
    request.method = Method::get;
    expect(400, R"({"code":3,"message":"Bad request"})");
    request.upgrade = true;
    expect(403, R"({"code":4,"message":"Forbidden"})");
    request.origin.clear();
    expect(400, R"({"code":5,"message":"Unsupported protocol version"})");
    std::erase_if(request.query, [](const auto &one) { return one.first == "EIO"; });
    expect(400, R"({"code":5,"message":"Unsupported protocol version"})");
    set(request, "EIO", "4");
    EXPECT_FALSE(refuse_engineio(request, cors));
}

TEST(WebSocket, VersionAndKeyAreCheckedHereBecauseTheLibraryDoesNot) {
    EXPECT_FALSE(refuse_websocket(handshake(), Route::socketio, {}));
    for (const char *version : {"", "7", "8", "013"}) {
        Request request = handshake();
        request.websocket_version = version;
        const auto reply = refuse_websocket(request, Route::socketio, {});
        ASSERT_TRUE(reply) << version;
        EXPECT_EQ(reply->status, 426);
    }
    for (const char *key : {"", "dGhl", "not base64 at all !!!!!!", "dGhlIHNhbXBsZSBub25jZWFiYw=="}) {
        Request request = handshake();
        request.websocket_key = key;
        const auto reply = refuse_websocket(request, Route::socketio, {});
        ASSERT_TRUE(reply) << key;
        EXPECT_EQ(reply->status, 400);
    }
}

TEST(WebSocket, TheNativeProtocolMustBeAmongTheOfferedOnes) {
    Request request = handshake();
    for (const char *good : {"pulse.v1.json", "other, pulse.v1.json", "pulse.v1.json ,x"}) {
        request.subprotocols = good;
        EXPECT_FALSE(refuse_websocket(request, Route::native, {})) << good;
    }
    for (const char *bad : {"", "pulse", "pulse.v1.jsonx", "PULSE.V1.JSON"}) {
        request.subprotocols = bad;
        EXPECT_TRUE(refuse_websocket(request, Route::native, {})) << bad;
    }
    EXPECT_TRUE(refuse_websocket(request, Route::socketio, {}));  // none is spoken there
}

TEST(Cors, SocketsFollowTheListOfOrigins) {
    Request request = handshake();
    const Cors any{{"*"}}, none{}, some{{"https://app.example"}};
    request.origin = "https://evil.example";
    EXPECT_TRUE(any.allows_socket(request));
    EXPECT_TRUE(none.allows_socket(request));
    EXPECT_FALSE(some.allows_socket(request));
    request.origin = "https://app.example";
    EXPECT_TRUE(some.allows_socket(request));
    request.origin = "http://pulse.example";  // its own page
    EXPECT_TRUE(some.allows_socket(request));
    request.origin = "http://pulse.example.evil";
    EXPECT_FALSE(some.allows_socket(request));
    request.origin.clear();  // no browser
    EXPECT_TRUE(some.allows_socket(request));
}

TEST(Cors, AnswersNameTheOriginOnlyWhenItMayRead) {
    Request request = handshake();
    const auto header = [](const Reply &reply, std::string_view name) {
        for (const auto &[key, value] : reply.headers) {
            if (key == name) return value;
        }
        return std::string("-");
    };
    const Cors some{{"https://app.example"}};
    request.origin = "https://evil.example";
    Reply refused;
    some.add_headers(request, refused);
    EXPECT_EQ(header(refused, "Access-Control-Allow-Origin"), "-");
    EXPECT_EQ(header(refused, "Vary"), "Origin");
    request.origin = "https://app.example";
    Reply allowed;
    some.add_headers(request, allowed);
    EXPECT_EQ(header(allowed, "Access-Control-Allow-Origin"), "https://app.example");
    request.request_headers = "authorization";
    const Reply preflight = some.preflight(request);
    EXPECT_EQ(preflight.status, 204);
    EXPECT_EQ(header(preflight, "Access-Control-Allow-Headers"), "authorization");
}

TEST(Framing, ABodyThatCouldBeReadInTwoWaysIsRefusedAndTheConnectionCloses) {
    Request request = handshake();
    EXPECT_FALSE(refuse_framing(request, 100));
    request.transfer_encoding = true;
    EXPECT_EQ(refuse_framing(request, 100)->status, 400);
    request.content_length = "3";
    EXPECT_EQ(refuse_framing(request, 100)->status, 400);
    request.transfer_encoding = false;
    EXPECT_FALSE(refuse_framing(request, 100));
    for (const char *bad : {"-1", "+1", "1 2", "0x10", "", "3,3"}) {
        request.content_length = bad;
        EXPECT_EQ(refuse_framing(request, 100)->status, 400) << bad;
        EXPECT_TRUE(refuse_framing(request, 100)->close);
    }
    for (const char *huge : {"101", "99999999999", "99999999999999999999999999"}) {
        request.content_length = huge;
        EXPECT_EQ(refuse_framing(request, 100)->status, 413) << huge;
    }
    request.content_length.reset();
    request.method = Method::post;
    EXPECT_EQ(refuse_framing(request, 100)->status, 411);
    request.method = Method::connect;
    EXPECT_EQ(refuse_framing(request, 100)->status, 405);
}

TEST(Request, TheTokenComesFromTheHeaderThenFromTheQuery) {
    Request request = handshake();
    EXPECT_EQ(request.bearer(), "");
    set(request, "token", "q");
    EXPECT_EQ(request.bearer(), "q");
    request.authorization = "Basic abc";
    EXPECT_EQ(request.bearer(), "q");
    request.authorization = "bearer h";
    EXPECT_EQ(request.bearer(), "h");
}

TEST(Http, HeadHasTheHeadersOfTheBodyAndNoBody) {
    Request request = handshake();
    Reply reply;
    reply.body = "{}";
    const std::string with = render(request, reply, false);
    request.method = Method::head;
    const std::string without = render(request, reply, false);
    EXPECT_EQ(with, without + "{}");
    EXPECT_NE(without.find("Content-Length: 2\r\n"), std::string::npos);
    EXPECT_NE(without.find("Connection: keep-alive\r\n"), std::string::npos);
}

TEST(Http, AHeaderValueCannotEndItsLine) {
    Reply reply;
    reply.headers.emplace_back("Access-Control-Allow-Headers", "x\r\nSet-Cookie: a=b");
    EXPECT_EQ(render(handshake(), reply, true).find("Set-Cookie"), std::string::npos);
}

}  // namespace
}  // namespace bridge::transport
