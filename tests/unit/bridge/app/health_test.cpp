// /health and /ready say what is known, and nothing that is not.
#include "app/health.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace bridge::app {
namespace {

Facts good() {
    Facts facts;
    facts.listener = {
        .connected = true, .listening = true, .dispatcher = true, .caught_up = true, .reason = "", .detail = "", .lag_events = 0};
    facts.pools_up = true;
    facts.websockets = 7;
    facts.status = R"({"dispatcher":{"lagEvents":3,"pid":1},"queue":{"available":1,"executing":2,"retryable":3,"dead":4},
                       "presence":{"count":5}})";
    return facts;
}

TEST(Health, AllIsWell) {
    const auto reply = health(good());
    EXPECT_EQ(reply.status, 200);
    const auto body = json::parse(reply.body);
    ASSERT_TRUE(body);
    EXPECT_EQ((*body)["status"], "ok");
    const auto &checks = (*body)["checks"];
    EXPECT_EQ(checks["dispatcher"]["lagEvents"], 3);
    EXPECT_EQ(checks["presence"]["count"], 5);
    EXPECT_EQ(checks["queue"], json::Value::parse(R"({"available":1,"executing":2,"retryable":3,"dead":4})"));
    EXPECT_EQ(checks["connections"], json::Value::parse(R"({"websocket":7,"polling":0,"sse":0,"poll":0})"));
    EXPECT_EQ(ready(good()).body, R"({"ready":true})");
}

TEST(Health, WithoutTheDatabaseItIsDownAndItsNumbersAreLeftOut) {
    Facts facts = good();
    facts.listener = {};
    facts.listener.reason = "no connection to PostgreSQL";
    facts.pools_up = false;
    facts.status.reset();
    const auto reply = health(facts);
    EXPECT_EQ(reply.status, 503);
    const auto body = json::parse(reply.body);
    ASSERT_TRUE(body);
    EXPECT_EQ((*body)["status"], "down");
    EXPECT_TRUE((*body)["checks"]["queue"].empty());
    EXPECT_FALSE((*body)["checks"]["dispatcher"].contains("lagEvents"));
    EXPECT_EQ(ready(facts).status, 503);
    EXPECT_EQ(ready(facts).body, R"({"ready":false,"reason":"no connection to PostgreSQL"})");
}

TEST(Health, OperatorsReadWhatPostgreSqlSaysIsWrongAndWhatToDoAndNobodyElseDoes) {
    Facts facts = good();
    facts.status = R"({"problems":[{"problem":"12.0 % of the NOTIFY queue is in use","hint":"look for old xact_start"}]})";
    EXPECT_EQ(ready(facts).body, R"({"ready":true})");
    const auto told = json::parse(ready(facts, true).body);
    ASSERT_TRUE(told);
    EXPECT_EQ((*told)["ready"], true);
    EXPECT_EQ((*told)["problems"],
              json::Value::parse(R"([{"problem":"12.0 % of the NOTIFY queue is in use","hint":"look for old xact_start"}])"));
    facts.listener.reason = "no connection to PostgreSQL";
    facts.listener.detail = "function pulse.bridge_hello does not exist";
    EXPECT_EQ(json::Value::parse(ready(facts, true).body)["detail"], "function pulse.bridge_hello does not exist");
    EXPECT_EQ(ready(facts).body, R"({"ready":false,"reason":"no connection to PostgreSQL"})");
    facts = good();
    EXPECT_EQ(ready(facts, true).body, R"({"ready":true})");
}

TEST(Health, ADeadDispatcherDegradesAndIsNotReady) {
    Facts facts = good();
    facts.listener.dispatcher = false;
    facts.listener.reason = "no dispatcher is running";
    EXPECT_EQ(health(facts).status, 200);
    EXPECT_NE(health(facts).body.find(R"("status":"degraded")"), std::string::npos);
    EXPECT_EQ(ready(facts).status, 503);
}

TEST(Health, DrainingIsNotReady) {
    Facts facts = good();
    facts.draining = true;
    EXPECT_EQ(ready(facts).body, R"({"ready":false,"reason":"shutting down"})");
}

}  // namespace
}  // namespace bridge::app
