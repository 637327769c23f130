// What SQL takes away is gone at its place in the stream: events before it were delivered, events after it are not; and whoever decides,
// joins or recovers at the same time is not let in by what was true before.
#include <gmock/gmock.h>

#include "history_fakes.hpp"

namespace bridge::hub {
namespace {

using test::Client;
using test::Past;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char *kNotice = R"({"room":"a","reason":"gone"})";

TEST(Evict, M10_TakesEffectAtItsPosition) {
    Past past;
    past.encoder.with_cursor = false;
    Client ann = past.user("ann"), bob = past.user("bob");
    for (Client *c : {&ann, &bob}) past.hub.join(c->session, "a", Position{0});
    past.hub.join(ann.session, "b", Position{0});
    past.publish({"a"});
    past.evict("a", "ann");
    past.publish({"a"});
    past.publish({"a", "b"});
    past.hub.flush();
    EXPECT_EQ(ann.sink->take(), std::string("<e 1><room:evicted ") + kNotice + "><e 4>");
    EXPECT_EQ(past.got(bob), "1 3 4");
    EXPECT_FALSE(past.hub.in_room(ann.session, "a"));
    EXPECT_EQ(past.metrics.evictions().Value(), 1);
}

TEST(Evict, M10_OfEverybodyEmptiesTheRoom) {
    Past past;
    Client ann = past.user("ann"), anonymous = past.user("");
    for (Client *c : {&ann, &anonymous}) past.hub.join(c->session, "a", Position{0});
    past.evict("a", "");
    past.publish({"a"});
    EXPECT_EQ(past.got(ann), kNotice);
    EXPECT_EQ(past.got(anonymous), kNotice);
    EXPECT_EQ(past.hub.members("a"), 0U);
}

TEST(Evict, M10_LeavesAMembershipThatWasDecidedAfterIt) {
    Past past;
    Client ann = past.user("ann");
    past.hub.join(ann.session, "a", Position{1});  // the bridge is behind: the eviction at 1 was known when this was decided
    past.evict("a", "ann");
    past.publish({"a"});
    EXPECT_EQ(past.got(ann), "2");
}

TEST(Evict, M10_ADecisionFromBeforeItIsAskedForAgain) {
    Past past;
    Client ann = past.user("ann"), bob = past.user("bob");
    past.publish({"b"});     // 1: here both were allowed
    past.evict("a", "ann");  // 2
    EXPECT_EQ(past.hub.join(ann.session, "a", Position{1}), Join::evicted);
    EXPECT_FALSE(past.hub.in_room(ann.session, "a"));
    EXPECT_EQ(past.hub.join(ann.session, "b", Position{1}), Join::joined);
    EXPECT_EQ(past.hub.join(bob.session, "a", Position{1}), Join::joined);
    EXPECT_EQ(past.hub.join(ann.session, "a", Position{2}), Join::joined);  // granted again
}

TEST(Evict, M10_ARegrantAheadOfTheStreamKeepsTheMembership) {
    Past past;
    Client ann = past.user("ann");
    past.hub.join(ann.session, "a", Position{0});
    EXPECT_EQ(past.hub.join(ann.session, "a", Position{3}), Join::already);  // evicted at 1, granted at 3; this bridge is at 0
    past.evict("a", "ann");
    past.publish({"a"});  // 2: it had no right to this one
    past.publish({"a"});
    past.publish({"a"});
    EXPECT_EQ(past.got(ann), "4");
    past.evict("a", "ann");
    past.publish({"a"});
    EXPECT_EQ(past.got(ann), kNotice);
}

TEST(Evict, M10_TellsWhoKeepsTheBooks) {
    Past past;
    Client ann = past.user("ann");
    past.hub.join(ann.session, "a", Position{0});
    std::vector<std::string> told;
    past.hub.on_evicted([&](SessionId id, std::string_view room, Position at) {
        EXPECT_EQ(id, ann.session);
        told.push_back(std::string(room) + " " + std::to_string(at.value));
    });
    std::vector<std::string> system;
    past.hub.on_system([&](const Event &event) { system.emplace_back(event.name); });
    past.evict("a", "ann");
    past.publish({"pulse:system"}, "pulse:takeover", R"({"key":"x","generation":2})");
    EXPECT_THAT(told, ElementsAre("a 1"));
    EXPECT_THAT(system, ElementsAre("\"pulse:evict\"", "\"pulse:takeover\""));
}

TEST(Evict, M10_OnlyTheSystemRoomEvicts) {
    Past past;
    Client ann = past.user("ann");
    past.hub.join(ann.session, "a", Position{0});
    past.publish({"a"}, "pulse:evict", R"({"room":"a","userId":"ann"})");
    past.publish({"x:pulse:system"}, "pulse:evict", R"({"room":"a","userId":"ann"})");
    past.publish({"pulse:system"}, "pulse:evict", "1");  // not the agreed form
    EXPECT_TRUE(past.hub.in_room(ann.session, "a"));
    EXPECT_EQ(past.metrics.evictions().Value(), 0);
}

// ------------------------------------------------------------------------------------------------------- and recoveries

TEST(Evict, M10_ARecoveryOverAnEvictionBeginsAnew) {
    for (const bool from_ring : {false, true}) {
        Past past;
        past.publish({"a"});
        past.evict("a", "ann");
        past.publish({"a"});
        if (!from_ring) past.forget_ring();
        Client ann = past.user("ann"), bob = past.user("bob");
        past.recover(ann, {{"a", Position{1}}, {"b", Position{0}}}, "<first>");
        past.recover(bob, {{"a", Position{0}}});
        past.settle();
        ASSERT_EQ(past.outcomes.size(), 2U);
        EXPECT_EQ(past.metrics.recoveries("evicted").Value(), 1);
        EXPECT_EQ(ann.sink->take(), "");
        EXPECT_THAT(past.hub.rooms_of(ann.session), IsEmpty());
        EXPECT_EQ(past.got(bob), "1 3");
    }
}

TEST(Evict, M10_ARecoveryFromAfterItIsNotTouched) {
    for (const bool from_ring : {false, true}) {
        Past past;
        past.evict("a", "ann");
        past.publish({"a"});
        if (!from_ring) past.forget_ring();
        Client ann = past.user("ann");
        past.recover(ann, {{"a", Position{1}}});
        past.settle();
        EXPECT_EQ(past.got(ann), "2");
    }
}

// The bridge was started between the decision and now: what was lost in between it has to read.
TEST(Evict, M10_ADecisionFromBeforeTheBridgesMemoryIsCheckedAgainstTheLog) {
    for (const bool evicted : {false, true}) {
        Past past;
        past.publish({"b"});
        past.publish({"b"});
        const Position decided = past.hub.head();
        if (evicted) past.evict("a", "ann");
        past.publish({"b"});
        past.forget_ring();
        Client ann = past.user("ann");
        std::optional<HistoryOutcome> outcome;
        past.history.recover({ann.session, {{"a", Position{2}}, {"c", Position{9}}}, decided, false, make_frame("<first>")},
                             [&](HistoryOutcome o) { outcome = std::move(o); });
        past.settle();
        past.publish({"a"});
        past.hub.flush();
        ASSERT_TRUE(outcome);
        EXPECT_EQ(outcome->recovered, !evicted);
        EXPECT_EQ(ann.sink->take(), evicted ? "" : "<first><e 4 @00000000000000e1:4>");
    }
}

// The eviction stands in a later page than the first, in what the ring holds when the pages are through, or comes while the socket is slow.
TEST(Evict, M10_ABegunRecoveryEndsTheRoomInItsPlace) {
    for (const std::size_t evicted_after : {3U, 5U, 6U, 8U}) {
        HistoryOptions options;
        options.page = 2;
        Past past({}, options);
        past.encoder.with_cursor = false;
        for (int i = 0; i < 4; ++i) past.publish({"a"});
        past.forget_ring();
        Client ann = past.user("ann");
        std::vector<std::string> told;
        past.hub.on_evicted([&](SessionId, std::string_view room, Position) { told.emplace_back(room); });
        past.hub.join(ann.session, "other", Position{4});
        past.recover(ann, {{"a", Position{0}}, {"b", Position{0}}});
        past.history.turn();
        past.log.answer(past.history);  // 1 and 2 are on their way
        std::string expected = "<e 1><e 2><e 3><e 4>";
        while (past.position < 10) {
            if (past.position == evicted_after + 1) {
                past.evict("a", "ann");
                expected += std::string("<room:evicted ") + kNotice + ">";
            } else {
                const bool was_in = past.position <= evicted_after;
                past.publish({"a"});
                if (was_in) expected += "<e " + std::to_string(past.position) + ">";
            }
        }
        past.publish({"b"});
        past.settle();
        past.hub.flush();
        EXPECT_EQ(ann.sink->take(), expected + "<e 11>") << evicted_after;
        EXPECT_TRUE(past.outcomes.at(0).recovered);
        EXPECT_FALSE(past.hub.in_room(ann.session, "a"));
        EXPECT_TRUE(past.hub.in_room(ann.session, "b"));
        EXPECT_THAT(told, ElementsAre("a"));
    }
}

TEST(Evict, M10_SeveralRoomsEndWhileTheOthersGoOnUnderTheirNames) {
    HistoryOptions options;
    options.page = 1;
    Past past({}, options);
    past.encoder.with_cursor = false;
    past.publish({"b"});
    past.publish({"b"});
    past.forget_ring();
    Client ann = past.user("ann", 0, Protocol::native);
    past.recover(ann, {{"a", Position{0}}, {"b", Position{0}}, {"c", Position{0}}, {"d", Position{0}}});
    past.history.turn();
    past.log.answer(past.history);
    past.evict("a", "ann");
    past.publish({"d"});
    past.evict("c", "ann");
    past.publish({"b"});
    past.publish({"a", "c", "d"});
    past.settle();
    EXPECT_EQ(ann.sink->take(), R"(<e 1 in b><e 2 in b><room:evicted {"room":"a","reason":"gone"} in a><e 4 in d>)"
                                R"(<room:evicted {"room":"c","reason":"gone"} in c><e 6 in b><e 7 in d>)");
    EXPECT_THAT(past.hub.rooms_of(ann.session), testing::UnorderedElementsAre("b", "d"));
}

TEST(Evict, M10_ABackfillOfTheOnlyRoomIsRefused) {
    HistoryOptions options;
    options.page = 1;
    Past past({}, options);
    for (int i = 0; i < 3; ++i) past.publish({"a"});
    past.forget_ring();
    Client ann = past.user("ann");
    past.hub.join(ann.session, "other", Position{3});
    past.backfill(ann, "a", 0);
    past.history.turn();
    past.log.answer(past.history);
    past.evict("a", "ann");
    past.publish({"a"});
    past.settle();
    ASSERT_EQ(past.outcomes.size(), 1U);
    EXPECT_EQ(past.outcomes[0].reason, "evicted");
    EXPECT_TRUE(past.outcomes[0].begun);
    EXPECT_EQ(past.got(ann), std::string("1 2 3 ") + kNotice);
}

// --------------------------------------------------------------------------------------------------------- revocations

struct Revoked : Past {
    void revoke(const std::string &payload) { publish({"pulse:system"}, "pulse:revoke", payload); }
    Client token(const std::string &user, const std::string &jti, const std::string &json) {
        Client made;
        made.connection = hub.open(*made.sink);
        made.key = rng.id();
        auto claims = std::make_shared<Claims>();
        claims->user_id = user;
        claims->jti = jti;
        claims->json = json;
        made.session = hub.add_session(made.connection, {Protocol::socketio, "/", made.key, rng.id(), claims});
        hub.join(made.session, "a", hub.head());
        return made;
    }
    bool ended(const Client &client) {
        hub.flush();
        return !client.sink->closes.empty();
    }
};

TEST(Revoke, M10_EndsTheUsersSessionsAtItsPosition) {
    Revoked world;
    Client old = world.token("ann", "", R"({"iat":100})"), fresh = world.token("ann", "", R"({"iat":201})");
    Client ageless = world.token("ann", "", "{}"), bob = world.token("bob", "", R"({"iat":100})");
    world.publish({"a"});
    world.revoke(R"({"userId":"ann","jti":null,"revokedAt":200.5,"expiresAt":900,"reason":null})");
    world.publish({"a"});
    EXPECT_EQ(world.got(old), "1");
    EXPECT_EQ(world.got(fresh), "1 3");
    EXPECT_EQ(world.got(bob), "1 3");
    EXPECT_TRUE(world.ended(old));
    EXPECT_TRUE(world.ended(ageless));
    EXPECT_FALSE(world.ended(fresh));
    EXPECT_FALSE(world.ended(bob));
    EXPECT_THAT(old.sink->closes, ElementsAre(Errc::unauthenticated));
}

TEST(Revoke, M10_OfOneTokenEndsThatOneAlone) {
    Revoked world;
    Client one = world.token("ann", "t1", "{}"), two = world.token("ann", "t2", "{}"), other = world.token("bob", "t1", "{}");
    world.revoke(R"({"userId":"ann","jti":"t1","revokedAt":200})");
    EXPECT_TRUE(world.ended(one));
    EXPECT_FALSE(world.ended(two));
    EXPECT_FALSE(world.ended(other));
    world.revoke(R"({"userId":null,"jti":"t1","revokedAt":200})");
    EXPECT_TRUE(world.ended(other));
    EXPECT_FALSE(world.ended(two));
}

TEST(Revoke, M10_ADecisionFromBeforeItIsAskedForAgain) {
    Revoked world;
    Client ann = world.user("ann");
    world.revoke(R"({"userId":"ann","revokedAt":200})");
    Client late = world.user("ann");  // its connect was decided at 0
    EXPECT_EQ(world.hub.join(late.session, "a", Position{0}), Join::evicted);
    EXPECT_EQ(world.hub.join(late.session, "a", Position{1}), Join::joined);
    EXPECT_TRUE(world.ended(ann));
}

TEST(Revoke, M10_FindsAllSessionsOfAUserAsTheyComeAndGo) {
    Revoked world;
    std::vector<Client> clients;
    for (int i = 0; i < 60; ++i) clients.push_back(world.user(i % 3 ? "ann" : "bob"));
    for (std::size_t i = 0; i < clients.size(); i += 4) world.hub.closed(clients[i].connection);
    for (std::size_t i = 0; i < clients.size(); i += 8) clients[i] = world.user("ann");
    world.revoke(R"({"userId":"ann","revokedAt":1})");
    for (std::size_t i = 0; i < clients.size(); ++i) {
        if (i % 4 == 0 && i % 8 != 0) continue;  // gone
        EXPECT_EQ(world.ended(clients[i]), i % 8 == 0 || i % 3 != 0) << i;
    }
}

TEST(Revoke, M10_IsHandedToWhoSaysGoodbyeProperly) {
    Revoked world;
    Client ann = world.user("ann");
    std::vector<SessionId> told;
    world.hub.on_revoked([&](SessionId id) {
        told.push_back(id);
        world.hub.remove_session(id);
    });
    world.revoke(R"({"userId":"ann","revokedAt":1})");
    EXPECT_THAT(told, ElementsAre(ann.session));
    EXPECT_FALSE(world.ended(ann));
}

}  // namespace
}  // namespace bridge::hub
