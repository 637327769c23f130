// D9: what pulse.handle_request says, read to the letter: an answer without the agreed form is none.
#include "db/request_answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bridge::db {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

Response response(std::string_view text) {
    auto answer = read_request_answer(text);
    if (!answer || !answer->what || !std::holds_alternative<Response>(*answer->what)) {
        ADD_FAILURE() << text;
        return {};
    }
    return std::get<Response>(*std::move(answer->what));
}
StreamAnswer stream(std::string_view text) {
    auto answer = read_request_answer(text);
    if (!answer || !answer->what || !std::holds_alternative<StreamAnswer>(*answer->what)) {
        ADD_FAILURE() << text;
        return {};
    }
    return std::get<StreamAnswer>(*std::move(answer->what));
}

TEST(RequestAnswer, D9ABodyLeavesAsItCame) {
    const Response made = response(R"({"kind":"response","status":201,"headers":{"Location":"/x","Set-Cookie":["a=1","b=2"]},)"
                                   R"("body":{ "n" : 1.50, "n" : [ ] , "k":"\u00e4"}})");
    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(made.body, R"({ "n" : 1.50, "n" : [ ] , "k":"\u00e4"})");
    EXPECT_TRUE(made.json);
    EXPECT_THAT(made.headers, ElementsAre(Pair("Location", "/x"), Pair("Set-Cookie", "a=1"), Pair("Set-Cookie", "b=2")));
}

TEST(RequestAnswer, D9TextNullAndNothingAreDifferentBodies) {
    const Response text = response(R"({"kind":"response","status":200,"headers":{},"text":"a;b\nü \"q\""})");
    EXPECT_EQ(text.body, "a;b\nü \"q\"");
    EXPECT_FALSE(text.json);
    EXPECT_EQ(response(R"({"kind":"response","status":200,"headers":{},"body":null})").body, "null");
    EXPECT_EQ(response(R"({"kind":"response","status":204,"headers":{}})").body, std::nullopt);
}

TEST(RequestAnswer, D9DeepBodiesAreTheApplicationsBusiness) {
    const std::string deep = std::string(5'000, '[') + std::string(5'000, ']');
    EXPECT_EQ(response(R"({"kind":"response","status":200,"headers":{},"body":)" + deep + "}").body, deep);
}

TEST(RequestAnswer, D9MethodAndPathAreThoseOfTheRegistration) {
    const auto known = read_request_answer(R"({"kind":"response","method":"GET","path":"/api/{id}","status":200,"headers":{}})");
    ASSERT_TRUE(known);
    EXPECT_EQ(known->method + " " + known->path, "GET /api/{id}");
    const auto unknown = read_request_answer(R"({"kind":"response","method":null,"path":null,"status":405,"headers":{}})");
    ASSERT_TRUE(unknown);
    EXPECT_EQ(unknown->method + unknown->path, "");
}

TEST(RequestAnswer, M1AStreamsRoomsEventsAndFirstWords) {
    const StreamAnswer made =
        stream(R"({"kind":"stream","rooms":["a","b\u00e4"],"events":["x"],"first":[{"event":"hello \"you\"","data":{ "n" : 1.0}}],)"
               R"("position":"9f3c01ab5577de20:1200","since":1180,"recovered":true,"mustRefetch":null})");
    EXPECT_THAT(made.rooms, ElementsAre("a", "bä"));
    EXPECT_THAT(made.events, ElementsAre("x"));
    ASSERT_EQ(made.first.size(), 1U);
    EXPECT_EQ(made.first[0].event, R"("hello \"you\"")");
    EXPECT_EQ(made.first[0].data, R"({ "n" : 1.0})");
    EXPECT_EQ(made.position.text(), "9f3c01ab5577de20:1200");
    EXPECT_TRUE(made.recovered);
    EXPECT_EQ(made.since.value, 1180U);
    EXPECT_EQ(made.must_refetch, "");
    const StreamAnswer fresh = stream(R"({"kind":"stream","rooms":[],"events":null,"first":[],"position":"9f3c01ab5577de20:7",)"
                                      R"("since":null,"recovered":false,"mustRefetch":"expired"})");
    EXPECT_THAT(fresh.events, IsEmpty()) << "all";
    EXPECT_FALSE(fresh.recovered);
    EXPECT_EQ(fresh.must_refetch, "expired");
}

TEST(RequestAnswer, D9WhatHasNotTheAgreedFormIsNoAnswer) {
    for (const char *text : {
             "",
             "null",
             "[]",
             "7",
             R"({"kind":"response","status":200,"headers":{})",
             R"({"status":200,"headers":{}})",
             R"({"kind":"other","status":200,"headers":{}})",
             R"({"kind":"response","headers":{}})",
             R"({"kind":"response","status":"200","headers":{}})",
             R"({"kind":"response","status":199,"headers":{}})",
             R"({"kind":"response","status":600,"headers":{}})",
             R"({"kind":"response","status":200.5,"headers":{}})",
             R"({"kind":"response","status":200})",
             R"({"kind":"response","status":200,"headers":[]})",
             R"({"kind":"response","status":200,"headers":{},"text":7})",
             R"({"kind":"stream","events":null,"first":[],"position":"9f3c01ab5577de20:7"})",
             R"({"kind":"stream","rooms":[],"first":[],"position":"nowhere"})",
             R"({"kind":"stream","rooms":[],"position":"9f3c01ab5577de20:7"})",
             R"({"kind":"stream","rooms":[],"first":[7],"position":"9f3c01ab5577de20:7"})",
             R"({"kind":"stream","rooms":[],"first":[{"event":7,"data":1}],"position":"9f3c01ab5577de20:7"})",
         }) {
        EXPECT_FALSE(read_request_answer(text)) << text;
    }
}

TEST(RequestAnswer, D9AFailureNamesItsRoute) {
    const Error error{Errc::conflict, "there already"};
    const RequestAnswer known = failed_request(error, "PL/pgSQL function app.f(json) line 3 at PERFORM\n"
                                                      "pulse route POST /api/items/{id} (correlation id mine-7)\nmore");
    ASSERT_FALSE(known.what);
    EXPECT_EQ(known.what.error().code, Errc::conflict);
    EXPECT_EQ(known.method + " " + known.path, "POST /api/items/{id}");
    EXPECT_EQ(failed_request(error, "pulse route GET /a\nmore").path, "/a");
    const RequestAnswer forged = failed_request(error, "pulse route GET /forged\npulse route PUT /true (correlation id x)");
    EXPECT_EQ(forged.method + " " + forged.path, "PUT /true") << "the last is the engine's own";
    for (const char *context : {"", "PL/pgSQL function app.f(json)", "pulse route ", "pulse route GET"}) {
        const RequestAnswer unknown = failed_request(error, context);
        EXPECT_EQ(unknown.method + unknown.path, "") << context;
    }
}

}  // namespace
}  // namespace bridge::db
